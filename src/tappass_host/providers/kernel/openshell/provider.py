"""OpenShell: one policy file with a cold and a hot half, and what it holds of a policy.

Files and identity are fixed when a sandbox is made (`filesystem_policy`, `landlock`, `process`); hosts may
change while it runs (`network_policies`). Landlock rules only add up, and there is no list of denied paths,
so a folder that holds something denied is not granted at all.

What is written is what releases up to 0.0.111 and the 0.1 line both take: neither takes a key that it does
not know, and the keys they do not share (`mcp.versions`, bare binaries) are not needed.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import RenderError
from tappass_host.policy.grammar.addresses import CidrRule, not_granted
from tappass_host.policy.grammar.domains import DEFAULT_PORTS, DomainRule
from tappass_host.sdk.artifacts import Launch
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Evidence, Item, Reach
from tappass_host.sdk.contract import Options, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.document import Doc
from tappass_host.sdk.lowering import (
    FsEntry,
    FsFeatures,
    Limit,
    LimitFeatures,
    NetFeatures,
    lower_fs,
    lower_limits,
    lower_net,
)

VERSIONS: Final = ("0.0.111", "0.1.5")
EVERYWHERE: Final = ("tool", "exec", "mcp", "code", "self")
PROCESSES: Final = ("exec", "mcp", "code", "self")
DOCS: Final = "https://docs.nvidia.com/openshell/latest/reference/policy-schema"
READ: Final = "2026-11-22"

# Added to every sandbox that has a proxy, whatever the policy file lists
# (https://github.com/NVIDIA/OpenShell/blob/main/crates/openshell-sandbox/src/lib.rs, 2026-08-21).
BASELINE: Final[tuple[tuple[str, Literal["read", "write"]], ...]] = (
    ("/usr", "read"),
    ("/lib", "read"),
    ("/etc", "read"),
    ("/app", "read"),
    ("/var/log", "read"),
    ("/proc", "read"),
    ("/dev/urandom", "read"),
    ("/tmp", "write"),  # noqa: S108 - a path inside the sandbox
    ("/dev/null", "write"),
)
# Limits of the vendor's validation (policy schema reference, 2026-11-22).
MAX_PATHS: Final = 256
MAX_PATH: Final = 4096
MAX_ID: Final = 2**32 - 2


class OpenShellOptions(Options, frozen=True, kw_only=True):
    """How a sandbox is made.

    Attributes:
        brand: the name of the program; the vendor's main branch calls it `ryno`, releases do not yet.
        image: community sandbox, Dockerfile or image it starts from; the program's own default if empty.
    """

    brand: Literal["openshell", "ryno"] = "openshell"
    image: str = ""


INFO: Final = ProviderInfo(
    id="openshell",
    position="kernel",
    target="NVIDIA OpenShell",
    version="0.1.0",
    sdk="1.0",
    versions=VERSIONS,
    options=OpenShellOptions,
    effects={
        "policy": "sandbox_recreate",
        "policy#/network_policies": "live",
        "launch": "sandbox_recreate",
    },
    covers={"filesystem": EVERYWHERE, "network": EVERYWHERE, "process": PROCESSES},
    cannot={
        "tools": "sees system calls and connections, not tool calls",
        "mcp": "hosts only, in this preview: it could hold the tools of servers that are reached over HTTP, "
        "never their arguments, and never a server that is started",
        "credentials": "secrets are records of its gateway (`provider create`), not entries of a policy file",
        "head.expires_at": "a running sandbox does not look at the clock",
    },
    preview=True,
)

LANDLOCK: Final = Reach("landlock", EVERYWHERE, "compulsory", Evidence(DOCS, READ, VERSIONS))
PROXY: Final = Reach("proxy", EVERYWHERE, "compulsory", Evidence(DOCS, READ, VERSIONS))
IDENTITY: Final = Reach("identity", PROCESSES, "compulsory", Evidence(DOCS, READ, VERSIONS))

LIMITS: Final = LimitFeatures(
    aspect="process",
    holds={"run_as_uid": "", "run_as_gid": ""},
    why={"*": "the policy file has no limits; those of the compute driver are set when a sandbox is made"},
)
HOSTS: Final = NetFeatures(
    domains="native", floor="nothing", deny=False, conflict="grant", local="shut", widest="deny"
)
IDENTITY_KEYS: Final = {"run_as_uid": "run_as_user", "run_as_gid": "run_as_group"}

UNIX_SOCKETS: Final = "unix sockets that the image or the driver brings can be connected to"
RESOLVES: Final = "a name that resolves into a granted range is reached as well"
PRIVATE: Final = "an exact host may resolve to a private address"
OVERLAPS: Final = "holds addresses that network.local denies, and nothing can be taken out of a range"
ROOT: Final = "nothing runs as root in a sandbox"
TOO_MUCH: Final = f"takes {MAX_PATHS} paths of {MAX_PATH} characters"


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render one policy file and the launch of its sandbox.

    Raises:
        RenderError: a path still holds a parameter.
    """
    b = Builder(INFO, policy, target)
    options = target.options_as(OpenShellOptions)
    doc = b.doc("policy", path="openshell-policy.yaml", codec="yaml")
    doc.set("/version", 1, by="the only version of the policy schema")
    _files(b, doc)
    _identity(b, doc)
    _hosts(b, doc)
    _launch(b, doc, options)
    return b.build()


# Cold: files and identity.


def _files(b: Builder, doc: Doc) -> None:
    doc.set("/filesystem_policy/include_workdir", value=False, by="the working folder is granted, or is not")
    doc.set("/landlock/compatibility", "hard_requirement", by="without Landlock it does not start")
    items = [_spellable(item) for item in lower_fs(b.policy, _file_features(b.policy), b.know)]
    for item in b.lower(_at_most(MAX_PATHS, items), at=LANDLOCK):
        _file(doc, item)


def _file_features(policy: EffectivePolicy) -> FsFeatures:
    """Reading everywhere can be granted, but then nothing can be denied."""
    widest: Literal["read_only", "deny"] = "deny" if policy.fs.denies else "read_only"
    return FsFeatures(nesting="union", floor="nothing", glob=True, widest=widest, always=BASELINE)


def _spellable(item: Item) -> Item:
    if not _is_written(item) or not isinstance(item.value, FsEntry):
        return item
    path = str(item.value.path)
    if item.value.path.root != "/":
        raise RenderError(f"{path} is not an absolute path", remedy="bind the policy's parameters first")
    if item.value.path.is_glob:
        # What exists in the image is not for the host to say, so a pattern is not written out either.
        return item._replace(refused="takes paths, not patterns", loss="")
    if path == "/" and item.value.access == "write":
        return item._replace(refused="refuses to make everything writable", loss="")
    return item if len(path) <= MAX_PATH else item._replace(refused=TOO_MUCH, loss="")


def _at_most(most: int, items: Iterable[Item]) -> Iterator[Item]:
    """One path more, and the whole file would be refused."""
    written = 0
    for item in items:
        written += _is_written(item)
        full = _is_written(item) and written > most
        yield item._replace(refused=TOO_MUCH, loss="") if full else item


def _is_written(item: Item) -> bool:
    """Whether it becomes a path; an open default comes first, and is one."""
    path = item.op == "grant" or (item.op, item.value) == ("default", "read_only")
    return path and not item.refused and not item.under


def _file(doc: Doc, item: Item) -> None:
    match item.op, item.value:
        case "grant", FsEntry(path=path, access=access):
            doc.add(f"/filesystem_policy/read_{'write' if access == 'write' else 'only'}", str(path), by=item)
        case "default", "read_only":
            doc.add("/filesystem_policy/read_only", "/", by=item)
        case _:
            doc.credit("policy#/filesystem_policy", by=item)


def _identity(b: Builder, doc: Doc) -> None:
    for item in b.lower(map(_identity_fits, lower_limits(b.policy, LIMITS)), at=IDENTITY):
        assert isinstance(item.value, Limit)
        doc.set(f"/process/{IDENTITY_KEYS[item.value.field]}", str(item.value.number), by=item)


def _identity_fits(item: Item) -> Item:
    assert isinstance(item.value, Limit)
    fits = item.value.field not in IDENTITY_KEYS or 1 <= item.value.number <= MAX_ID
    return item if fits else item._replace(refused=ROOT)


# Hot: hosts.


def _hosts(b: Builder, doc: Doc) -> None:
    doc.set("/network_policies", {}, by="no host but those that are listed")
    items = (_with_losses(b.policy, item) for item in lower_net(b.policy, HOSTS))
    endpoints = [(item, _endpoint(item)) for item in b.lower(items, at=PROXY)]
    if any(endpoint for _, endpoint in endpoints):
        doc.set("/network_policies/tappass/name", "tappass", by="what denials are logged under")
        # Without binaries an entry matches no program at all.
        doc.add("/network_policies/tappass/binaries", {"path": "/**"}, by="whatever program asks")
    for item, endpoint in endpoints:
        if endpoint is None:
            doc.credit("policy#/network_policies", by=item)
        else:
            doc.add("/network_policies/tappass/endpoints", endpoint, by=item)


def _with_losses(policy: EffectivePolicy, item: Item) -> Item:
    match item.op, item.value:
        case "cidr", CidrRule(network=network) if not_granted(network):
            return item._replace(refused=OVERLAPS)
        case "default", "deny" if not item.refused:
            return item._replace(loss="; ".join([UNIX_SOCKETS, *([RESOLVES] if policy.net.cidrs else [])]))
        case "deny", _ if item.under and not policy.net.cidrs:
            # Unix sockets are the default's loss, not that of a name.
            return item._replace(op="shut", under=())
        case "local", "deny" if any(not rule.domain.wildcard for rule in policy.net.allow):
            return item._replace(loss=PRIVATE)
    return item


def _endpoint(item: Item) -> dict[str, object] | None:
    """Where an item leads to. Its own default for `enforcement` would only write down what it lets pass."""
    match item.value:
        case DomainRule(host=host, wildcard=wildcard, port=port):
            # `*.` is one label here; `**.` is any depth, and neither is the name itself.
            place: dict[str, object] = {"host": f"**.{host}" if wildcard else host}
        case CidrRule(network=network, port=port):
            place = {"allowed_ips": [str(network)]}
        case _:
            return None
    ports = sorted(DEFAULT_PORTS) if port is None else [port]
    return {**place, "ports": ports, "enforcement": "enforce"} if item.op in ("allow", "cidr") else None


def _launch(b: Builder, doc: Doc, options: OpenShellOptions) -> None:
    source = ("--from", options.image) if options.image else ()
    b.launch(
        Launch(
            program=options.brand,
            # What an agent proposes is looked at by a person, even where the gateway is set otherwise.
            args=(
                "sandbox",
                "create",
                "--policy",
                doc.path,
                "--approval-mode",
                "manual",
                "--no-auto-providers",
                *source,
                "--",
            ),
            # Which gateway it talks to, and as whom, is in the configuration of its user.
            env={"HOME": b.target.paths.get("home", "/root"), "PATH": "/usr/bin:/bin"},
        ),
        by="makes the sandbox from this file",
    )
