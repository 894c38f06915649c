"""n8n: the nodes that it loads, the files and hosts that they reach, and what its Code node sees.

n8n is configured by environment variables. Values that every reader of such a file takes alike stand in the
env file; lists stand in files of their own, which n8n reads through the `_FILE` form of a variable, so that
nothing ever has to be quoted. n8n itself holds all of this, so every claim is cooperative.
"""

from typing import Final

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.sdk.artifacts import SecretRef
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Fidelity, Item
from tappass_host.sdk.contract import TargetCapabilities, TargetConfig
from tappass_host.sdk.document import By, Doc
from tappass_n8n import files, nodes, requests
from tappass_n8n.info import ENVIRONMENT, FILES, HARDENING, INFO, NODES, REQUESTS, N8nOptions

__all__ = ["INFO", "render"]

WHOLE: Final = "code sees all of the environment or nothing of it"
NOT_HANDED: Final = "n8n keeps secrets as credentials of its own; code gets none"
SHARED: Final = "code that breaks out of an internal task runner has n8n's environment"


ARTIFACTS: Final = {
    "N8N_RESTRICT_FILE_ACCESS_TO": "paths",
    "N8N_BLOCK_FILE_PATTERNS": "patterns",
    "N8N_SSRF_BLOCKED_IP_RANGES": "blocked-ip-ranges",
    "N8N_SSRF_ALLOWED_IP_RANGES": "allowed-ip-ranges",
    "N8N_SSRF_BLOCKED_HOSTNAMES": "blocked-hostnames",
    "N8N_SSRF_ALLOWED_HOSTNAMES": "allowed-hostnames",
}


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render the environment of one instance. Pure: no I/O, clock, environment or randomness."""
    b = Builder(INFO, policy, target)
    options = target.options_as(N8nOptions)
    env = b.doc("env", root="etc", path="n8n/tappass.env", codec="env")
    for name, value, why in HARDENING:
        env.set(f"/{name}", value, by=why)
    env.set("/N8N_RUNNERS_MODE", options.runners, by="where code of workflows runs")
    if options.runner_token_ref:
        env.set("/N8N_RUNNERS_AUTH_TOKEN", SecretRef(options.runner_token_ref), by="who may run code")
    _nodes(b, env)
    _files(b, env)
    _requests(b, env)
    _environment(b, env, options)
    return b.build()


def _list(b: Builder, env: Doc, name: str, text: str, *, by: By) -> None:
    """One variable that is a list, in a file of its own."""
    artifact = ARTIFACTS[name]
    doc = b.doc(artifact, root="etc", path=f"n8n/tappass-{artifact}.txt", codec="text")
    doc.set("", text, by=by)
    env.set(f"/{name}_FILE", doc.path, by="lists stand in files of their own")


# Nodes.


def _nodes(b: Builder, env: Doc) -> None:
    if b.policy.doc.tools is None and b.policy.doc.mcp is None:
        return
    lists = {name: b.doc(name, root="etc", path=f"n8n/tappass-{name}.json") for name in nodes.lists(b.policy)}
    for name, doc in lists.items():
        doc.ensure("", by="the whole list, and nothing of n8n's own default")
        env.set(f"/NODES_{name.upper()}_FILE", doc.path, by="lists stand in files of their own")
    for name, node, why in nodes.always(b.policy):
        lists[name].add("", node, by=why)
    for item in b.lower(nodes.items(b.policy), at=NODES):
        assert isinstance(item.value, nodes.Load)
        doc = lists[item.value.list]
        for node in item.value.nodes:
            doc.add("", node, by=item)
        doc.credit(f"{doc.id}#", by=item)
        if item.op == "unknown" and item.value.closed:
            env.set("/N8N_COMMUNITY_PACKAGES_ENABLED", "false", by=item)


# Files that nodes read and write.


def _files(b: Builder, env: Doc) -> None:
    if b.policy.doc.filesystem is None:
        return
    found = b.lower(files.items(b.policy, b.know), at=FILES)
    opened = tuple(item for item in found if item.op in ("default", "grant"))
    closed = tuple(item for item in found if item.op in ("deny", "narrow"))
    text = ";".join(files.paths(opened))
    _list(b, env, "N8N_RESTRICT_FILE_ACCESS_TO", text, by=opened or "no folder is open")
    text = ";".join(files.patterns(closed))
    _list(b, env, "N8N_BLOCK_FILE_PATTERNS", text, by=closed or "n8n's own default: nothing below .git")


# Hosts that nodes reach.


def _requests(b: Builder, env: Doc) -> None:
    network = b.policy.doc.network
    if network is None:
        return
    found = b.lower(requests.items(b.policy), at=REQUESTS)
    guarded = network.default == "deny" or network.local == "deny" or any(i.op == "deny" for i in found)
    env.set("/N8N_SSRF_PROTECTION_ENABLED", "true" if guarded else "false", by="whether requests are guarded")
    for name, entries_of, ops in requests.VARIABLES:
        text = ",".join(entries_of(b.policy, found))
        by = tuple(item for item in found if item.op in ops)
        if text:
            _list(b, env, name, text, by=by or "nothing is blocked")
    for item in found:
        b.credit("env#/N8N_SSRF_PROTECTION_ENABLED", by=item)


# What code sees.


def _environment(b: Builder, env: Doc, options: N8nOptions) -> None:
    node = b.policy.doc.credentials
    if node is None:
        return
    hidden = b.policy.ids("credentials.hide_env")
    closed = node.default == "deny" or bool(hidden)
    loss = SHARED if options.runners == "internal" else ""
    default = Item("default", node.default, b.policy.ids("credentials.default"), loss=loss if closed else "")
    if node.default == "allow" and hidden:
        default = default._replace(refused=WHOLE)
    fidelity: Fidelity = "stricter" if node.default == "allow" else "exact"
    items = [default, *(Item("hide", s, (s,), fidelity, loss) for s in hidden)]
    for item in b.lower(items, at=ENVIRONMENT):
        env.set("/N8N_BLOCK_ENV_ACCESS_IN_NODE", "true" if closed else "false", by=item)
    for field in ("credentials.secrets", "credentials.secrets.domains"):
        b.refuse(b.policy.ids(field), NOT_HANDED, at=ENVIRONMENT)
    if closed:
        b.refuse(b.policy.ids("interpreter.env"), WHOLE, at=ENVIRONMENT)
