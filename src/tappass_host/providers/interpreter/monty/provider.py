"""monty: one manifest for the runner of this package, and what interpreter and runner hold of a policy.

monty has no manifest format of its own and no flag for host functions, so the manifest is ours and the runner
obeys it. Inside there is no network, no environment and no file but what the manifest mounts: what nobody
lists does not exist. Mounts are disjoint folders, so nothing can be taken away inside one.
"""

from typing import Any, Final

import msgspec

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Interpreter
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Evidence, Fidelity, Item, Reach
from tappass_host.sdk.configs.interpreter import SCHEMA
from tappass_host.sdk.contract import Options, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.document import Doc, escape
from tappass_host.sdk.facts import UNKNOWN
from tappass_host.sdk.lowering import (
    FsEntry,
    FsFeatures,
    Limit,
    LimitFeatures,
    NetFeatures,
    lower_closed,
    lower_fs,
    lower_limits,
    lower_net,
)

VERSIONS: Final = ("1.4",)
DOCS: Final = "https://github.com/pydantic/monty"
READ: Final = "2026-11-22"
CODE: Final = ("code",)

# What monty 1.4 can import, tried one by one on 1.4.0; the list is fixed, nothing can be added or hidden.
MODULES: Final = frozenset(
    {
        "asyncio", "base64", "collections", "copy", "csv", "dataclasses", "datetime", "decimal",
        "functools", "hashlib", "itertools", "json", "math", "os", "pathlib", "random", "re", "sys",
        "time", "tomllib", "typing",
    }
)  # fmt: skip
# The host function shipped with the runner; the only way out for code.
FETCH: Final = "http_get"
MEGABYTE: Final = 1 << 20


class MontyOptions(Options, frozen=True, kw_only=True):
    """Bounds the policy has no word for, and defaults for those it leaves open.

    Attributes:
        memory_mb: where the policy sets none.
        cpu_time_ms: where the policy sets none.
        wall_ms: for a whole run, the start of the engine included; 0 derives it from the CPU time.
        write_mb: what one run may write through each writable mount.
        tenant: workers are never shared between tenants.
    """

    memory_mb: int = 256
    cpu_time_ms: int = 30_000
    wall_ms: int = 0
    write_mb: int = 64
    tenant: str = ""


INFO: Final = ProviderInfo(
    id="monty",
    position="interpreter",
    target="monty",
    version="1.0.0",
    sdk="1.0",
    versions=VERSIONS,
    platforms=("linux", "darwin"),
    options=MontyOptions,
    brings=("code",),
    effects={"manifest": "next_session"},
    records=("gate", "fetches"),
    covers={
        "head": CODE,
        "filesystem": CODE,
        "network": CODE,
        "interpreter": CODE,
        "credentials": CODE,
        "tools": CODE,
    },
    cannot={
        "head.freshness": "the runner sees one manifest, not how old the newest statement is",
        "network.allow_unix": "code has no sockets",
        "credentials.secrets": "no environment of the host reaches the code; hand secrets to host functions",
        "credentials.secrets.domains": "no environment of the host reaches the code",
        "process@code": "one run is bounded by interpreter.memory_mb and interpreter.cpu_time_ms",
        "data@code": "has no data sources",
    },
)
# Lower and upper ends of what a manifest can say.
LEAST: Final = 1
MOST_MB: Final = 64 << 10
MOST_MS: Final = 86_400_000


def _reach(name: str, probe: str) -> Reach:
    return Reach(name, CODE, "compulsory", Evidence(DOCS, READ, VERSIONS, f"monty/{probe}"))


ENGINE: Final = _reach("engine", "limits")
MOUNTS: Final = _reach("mounts", "files")
# One place for calls and what is not listed: `interpreter.default` is about both, and the worse counts.
GATE: Final = _reach("gate", "host-functions")
IMPORTS: Final = _reach("imports", "imports")
FETCHES: Final = _reach("fetches", "network")
# Without the fetching host function there is no network at all, whatever the mode.
NO_NETWORK: Final = _reach("no-network", "no-network")
ENVIRONMENT: Final = _reach("environment", "env")
VALIDITY: Final = _reach("validity", "expiry")

FS: Final = FsFeatures(nesting="disjoint", floor="nothing", existing=True, widest="deny")
NET: Final = NetFeatures(domains="native", floor="nothing", unix=False, other=True, widest="deny")
LIMITS: Final = LimitFeatures(
    aspect="interpreter", holds=dict.fromkeys(("memory_mb", "cpu_time_ms"), ""), why={}
)
BINDS_PACKAGE: Final = "only in the form `from ... import`: the other one would bind the whole of {}"
NO_FETCH: Final = f"code has no network unless {FETCH} is one of its host functions"


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render one manifest."""
    b = Builder(INFO, policy, target)
    options = target.options_as(MontyOptions)
    doc = b.doc("manifest", path="monty.manifest.json", owner="user", mode=0o600)
    _head(b, doc, options)
    _limits(b, doc, options)
    _mounts(b, doc, options)
    _network(b, doc)
    _calls(b, doc)
    _imports(b, doc)
    _environment(b, doc)
    return b.build()


def _head(b: Builder, doc: Doc, options: MontyOptions) -> None:
    policy, why = b.policy, "which engine, for which policy"
    doc.set("/schema", SCHEMA, by=why)
    doc.set("/target", {"id": INFO.id, "versions": ",".join(VERSIONS)}, by=why)
    doc.set("/policy/digest", policy.digest, by=why)
    doc.set("/policy/version", policy.doc.version, by=why)
    doc.set("/policy/not_before", policy.doc.not_before, by=why)
    doc.set("/mode", policy.doc.mode, by=why)
    doc.set("/tenant", options.tenant or policy.doc.org_id, by=why)
    expiry = Item("expires", policy.until, policy.ids("head.expires_at"))
    for item in b.lower([expiry], at=VALIDITY):
        doc.set("/policy/expires_at", item.value, by=item)


def _limits(b: Builder, doc: Doc, options: MontyOptions) -> None:
    found = {i.value.field: _bounded(i) for i in lower_limits(b.policy, LIMITS) if isinstance(i.value, Limit)}
    held = {i.value.field: i for i in b.lower(found.values(), at=ENGINE) if isinstance(i.value, Limit)}
    bounded = "no run is without bounds"
    memory, cpu = held.get("memory_mb"), held.get("cpu_time_ms")
    megabytes, millis = _number(memory, options.memory_mb), _number(cpu, options.cpu_time_ms)
    doc.set("/limits/memory_bytes", megabytes * MEGABYTE, by=memory or bounded)
    doc.set("/limits/cpu_time_ms", millis, by=cpu or bounded)
    # The start of a worker takes up to a second on a busy machine, and waiting is not computing.
    wall = options.wall_ms or min(2 * millis + 5_000, MOST_MS)
    doc.set("/limits/wall_ms", wall, by=bounded)


def _bounded(item: Item) -> Item:
    """A limit as a manifest can say it: without any nothing runs, and there is a most."""
    limit = item.value
    assert isinstance(limit, Limit)
    if limit.number < LEAST:
        return item._replace(refused="a run needs some: leave host functions and imports out instead")
    most = MOST_MB if limit.field == "memory_mb" else MOST_MS
    if limit.number > most:
        return item._replace(value=Limit(limit.field, most), fidelity="stricter")
    return item


def _number(item: Item | None, default: int) -> int:
    return item.value.number if item is not None and isinstance(item.value, Limit) else default


def _mounts(b: Builder, doc: Doc, options: MontyOptions) -> None:
    doc.ensure("/mounts", by="no folder but what is listed")
    for item in b.lower(map(_folder, lower_fs(b.policy, FS, b.know)), at=MOUNTS):
        if not isinstance(item.value, FsEntry) or item.op == "shut":
            doc.credit("manifest#/mounts", by=item)
            continue
        path, write = str(item.value.path), item.value.access == "write"
        mount: dict[str, Any] = {"host": path, "guest": path, "mode": "rw" if write else "ro"}
        if write:
            mount["write_bytes"] = options.write_mb * MEGABYTE
        doc.add("/mounts", mount, by=item)


def _folder(item: Item) -> Item:
    """Mounts are folders, found by their real path."""
    if isinstance(item.value, FsEntry) and item.value.kind not in ("", "dir") and item.op == "grant":
        return item._replace(refused=f"mounts folders, and this is a {item.value.kind.partition(':')[0]}")
    return item


def _network(b: Builder, doc: Doc) -> None:
    """The one way out is the fetching host function, and the switch is off where that is not granted."""
    node = b.policy.doc.interpreter
    switch = b.policy.ids("interpreter.network")
    off = bool(switch) and node is not None and node.network == "off"
    fetch = not off and node is not None and FETCH in node.host_functions
    doc.set("/network/mode", "allowlist" if fetch else "off", by="no network but what is listed")
    at = FETCHES if fetch else NO_NETWORK
    refused = "" if off or fetch else NO_FETCH
    for item in b.lower([Item("switch", None, switch, refused=refused)] if switch else [], at=at):
        doc.credit("manifest#/network/mode", by=item)
    items = lower_net(b.policy, NET) if fetch else _shut(b.policy, switch if off else ())
    for item in b.lower(items, at=at):
        _host_rule(doc, item)


def _shut(policy: EffectivePolicy, off: tuple[str, ...]) -> list[Item]:
    """Without the host function every restriction holds. Grants of hosts are lost, or not meant for code."""
    items = lower_closed(policy, "network", NO_FETCH)
    return [item._replace(refused="", under=off) if off and _is_host(item) else item for item in items]


def _is_host(item: Item) -> bool:
    granted = ("network.allow_domains[", "network.allow_cidrs[", "network.local[")
    return bool(item.refused) and item.origins[0].startswith(granted)


def _host_rule(doc: Doc, item: Item) -> None:
    match item.op:
        case "allow" | "deny":
            doc.add(f"/network/{item.op}", str(item.value), by=item)
        case "cidr":
            doc.add("/network/allow_cidrs", str(item.value), by=item)
        case "local":
            doc.set("/network/local", item.value, by=item)
        case _:
            doc.credit("manifest#/network/mode", by=item)


def _calls(b: Builder, doc: Doc) -> None:
    doc.ensure("/host_functions", by="no function of the host but what is listed")
    node = b.policy.doc.interpreter
    if node is None:
        return
    open_ = "only listed host functions exist" if node.default == "allow" else ""
    default = Item("default", node.default, b.policy.ids("interpreter.default"), refused=open_)
    for item in b.lower([default], at=GATE):
        doc.credit("manifest#/host_functions", by=item)
    constraints = b.policy.doc.tools.constraints if b.policy.doc.tools else {}
    for name in sorted(node.host_functions):
        function: dict[str, Any] = {"name": name}
        if name in constraints:
            function["constraints"] = msgspec.to_builtins(constraints[name])
        said = [s for s in b.policy.ids("tools.constraints") if s.startswith(f"tools.constraints.{name}.")]
        items = [Item("call", name, (f"interpreter.host_functions[{name}]",))]
        items += [Item("constraint", s, (s,)) for s in said]
        doc.add("/host_functions", function, by=tuple(b.lower(items, at=GATE)))


def _imports(b: Builder, doc: Doc) -> None:
    doc.ensure("/imports/deny", by="modules that are never imported")
    node = b.policy.doc.interpreter
    if node is None:
        return
    if node.default == "deny":
        default = Item("default", "deny", b.policy.ids("interpreter.default"))
        for item in b.lower([default], at=GATE):
            doc.ensure("/imports/allow", by=item)
    for item in b.lower((_allowed(node, name) for name in sorted(node.allow_imports)), at=IMPORTS):
        if node.default == "deny":
            doc.add("/imports/allow", item.value, by=item)
        else:
            doc.credit("manifest#/imports/deny", by=item)
    for item in b.lower((_denied(name) for name in sorted(node.deny_imports)), at=IMPORTS):
        doc.add("/imports/deny", item.value, by=item)


def _allowed(node: Interpreter, name: str) -> Item:
    item = Item("allow", name, (f"interpreter.allow_imports[{name}]",))
    package = name.partition(".")[0]
    if package not in MODULES:
        return item._replace(refused=f"monty has no module {package}")
    bound = "." in name and package not in node.allow_imports
    return item._replace(loss=BINDS_PACKAGE.format(package)) if bound else item


def _denied(name: str) -> Item:
    """Whoever holds a package holds its submodules, so a denied submodule takes the package along."""
    fidelity: Fidelity = "stricter" if "." in name else "exact"
    return Item("deny", name, (f"interpreter.deny_imports[{name}]",), fidelity)


def _environment(b: Builder, doc: Doc) -> None:
    node = b.policy.doc.credentials
    if node is not None:
        hidden = [Item("hide", s, (s,)) for s in b.policy.ids("credentials.hide_env")]
        empty = "no environment of the host reaches the code"
        default = Item("default", node.default, b.policy.ids("credentials.default"))
        default = default._replace(refused=empty) if node.default == "allow" else default
        for item in b.lower([default, *hidden], at=ENVIRONMENT):
            doc.credit("manifest#/env", by=item)
    doc.set("/env", _granted_env(b), by="the whole environment of the code")


def _granted_env(b: Builder) -> dict[str, str]:
    """Variables granted to code, with the values the host answers."""
    env: dict[str, str] = {}
    node, credentials = b.policy.doc.interpreter, b.policy.doc.credentials
    for name in sorted(node.env) if node else ():
        value, origin = b.ask("env", name), (f"interpreter.env[{name}]",)
        if credentials is not None and name in credentials.hide_env:
            b.refuse(origin, f"credentials.hide_env[{name}] hides it", at=ENVIRONMENT)
        elif value is UNKNOWN:
            b.refuse(origin, f"the value of {name} is not known yet", at=ENVIRONMENT)
        else:
            env[name] = str(value)
            for item in b.lower([Item("env", name, origin)], at=ENVIRONMENT):
                b.credit(f"manifest#/env/{escape(name)}", by=item)
    return env
