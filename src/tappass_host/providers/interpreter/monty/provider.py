"""monty: one manifest for the runner of this package, and what interpreter and runner hold of a policy.

monty has no manifest format of its own and no flag for host functions, so the manifest is ours and the runner
obeys it. Inside there is no network, no environment and no file but what the manifest mounts: what nobody
lists does not exist. Mounts are disjoint folders, so nothing can be taken away inside one.
"""

from typing import Any, Final

import msgspec

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Evidence, Item, Reach
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


def _reach(name: str, probe: str) -> Reach:
    return Reach(name, CODE, "compulsory", Evidence(DOCS, READ, VERSIONS, f"monty/{probe}"))


ENGINE: Final = _reach("engine", "limits")
MOUNTS: Final = _reach("mounts", "files")
# One place for calls and imports: `interpreter.default` is about both, and the worse of the two counts.
GATE: Final = _reach("gate", "host-functions")
FETCHES: Final = _reach("fetches", "network")
ENVIRONMENT: Final = _reach("environment", "env")
VALIDITY: Final = _reach("validity", "expiry")

FS: Final = FsFeatures(nesting="disjoint", floor="nothing", existing=True)
NET: Final = NetFeatures(domains="native", floor="nothing", unix=False, other=True)
LIMITS: Final = LimitFeatures(
    aspect="interpreter", holds=dict.fromkeys(("memory_mb", "cpu_time_ms"), ""), why={}
)
NO_FETCH: Final = f"code has no network unless {FETCH} is one of its host functions"


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render one manifest."""
    b = Builder(INFO, policy, target)
    options = target.options if isinstance(target.options, MontyOptions) else MontyOptions()
    doc = b.doc("manifest", path="monty.manifest.json", owner="user", mode=0o600)
    _head(b, doc, options)
    _limits(b, doc, options)
    _mounts(b, doc, options)
    _network(b, doc)
    if policy.doc.interpreter is not None:
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
    expiry = Item("expires", policy.doc.expires_at, policy.ids("head.expires_at"))
    for item in b.lower([expiry], at=VALIDITY):
        doc.set("/policy/expires_at", item.value, by=item)


def _limits(b: Builder, doc: Doc, options: MontyOptions) -> None:
    found = {i.value.field: i for i in lower_limits(b.policy, LIMITS) if isinstance(i.value, Limit)}
    b.lower(found.values(), at=ENGINE)
    bounded = "no run is without bounds"
    memory, cpu = found.get("memory_mb"), found.get("cpu_time_ms")
    megabytes, millis = _number(memory, options.memory_mb), _number(cpu, options.cpu_time_ms)
    doc.set("/limits/memory_bytes", megabytes * MEGABYTE, by=memory or bounded)
    doc.set("/limits/cpu_time_ms", millis, by=cpu or bounded)
    # The start of a worker takes up to a second on a busy machine, and waiting is not computing.
    doc.set("/limits/wall_ms", options.wall_ms or 2 * millis + 5_000, by=bounded)


def _number(item: Item | None, default: int) -> int:
    return item.value.number if item is not None and isinstance(item.value, Limit) else default


def _mounts(b: Builder, doc: Doc, options: MontyOptions) -> None:
    for item in b.lower(map(_folder, lower_fs(b.policy, FS, b.know)), at=MOUNTS):
        if not isinstance(item.value, FsEntry):
            doc.ensure("/mounts", by=item)
            continue
        path, write = str(item.value.path), item.value.access == "write"
        mount: dict[str, Any] = {"host": path, "guest": path, "mode": "rw" if write else "ro"}
        if write:
            mount["write_bytes"] = options.write_mb * MEGABYTE
        doc.add("/mounts", mount, by=item)


def _folder(item: Item) -> Item:
    """Mounts are folders, found by their real path; an open default cannot be mounted beside them."""
    if isinstance(item.value, FsEntry) and item.value.kind not in ("", "dir") and item.op == "grant":
        return item._replace(refused=f"mounts folders, and this is a {item.value.kind.partition(':')[0]}")
    if item.op == "default" and item.value == "allow":
        return item._replace(refused="shows only the folders that are mounted")
    return item._replace(fidelity="stricter") if (item.op, item.value) == ("default", "read_only") else item


def _network(b: Builder, doc: Doc) -> None:
    off = b.policy.by_field.get("interpreter.network", ())
    sealed = bool(off) and off[0].entry == "off"
    fetch = (
        not sealed
        and b.policy.doc.interpreter is not None
        and FETCH in b.policy.doc.interpreter.host_functions
    )
    if off:
        switch = Item("network", off[0].entry, (off[0].id,), refused="" if sealed or fetch else NO_FETCH)
        for item in b.lower([switch], at=FETCHES):
            doc.set("/network/mode", item.value, by=item)
    doc.set("/network/mode", "allowlist" if fetch else "off", by="no network but what is listed")
    items = (_through_fetch(item, off[0].id if sealed else "", fetch) for item in lower_net(b.policy, NET))
    for item in b.lower(items, at=FETCHES):
        _host_rule(doc, item)


def _through_fetch(item: Item, sealed_by: str, fetch: bool) -> Item:
    """Without the fetching host function nothing gets out, so every restriction holds and no grant works."""
    if item.op in ("allow", "cidr") and sealed_by:
        return item._replace(under=(sealed_by,), refused="", loss="")
    if item.op in ("allow", "cidr") and not fetch:
        return item._replace(refused=NO_FETCH)
    if item.op == "default" and item.value == "allow":
        return item._replace(refused="reaches only what is listed")
    return item


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
    node = b.policy.doc.interpreter
    assert node is not None
    open_ = "only listed host functions exist" if node.default == "allow" else ""
    default = Item("default", node.default, b.policy.ids("interpreter.default"), refused=open_)
    for item in b.lower([default], at=GATE):
        doc.ensure("/host_functions", by=item)
    constraints = b.policy.doc.tools.constraints if b.policy.doc.tools else {}
    listed = [
        Item("call", name, (f"interpreter.host_functions[{name}]",)) for name in sorted(node.host_functions)
    ]
    for item in b.lower(listed, at=GATE):
        function: dict[str, Any] = {"name": item.value}
        if item.value in constraints:
            function["constraints"] = msgspec.to_builtins(constraints[str(item.value)])
        locator = doc.add("/host_functions", function, by=item)
        prefix = f"tools.constraints.{item.value}."
        said = [s for s in b.policy.ids("tools.constraints") if s.startswith(prefix)]
        for constraint in b.lower([Item("constraint", s, (s,)) for s in said], at=GATE):
            doc.credit(locator, by=constraint)


def _imports(b: Builder, doc: Doc) -> None:
    node = b.policy.doc.interpreter
    assert node is not None
    if node.default == "deny":
        default = Item("default", "deny", b.policy.ids("interpreter.default"))
        for item in b.lower([default], at=GATE):
            doc.ensure("/imports/allow", by=item)
    for item in b.lower((_module(b, "allow", name) for name in sorted(node.allow_imports)), at=GATE):
        doc.add("/imports/allow", item.value, by=item) if node.default == "deny" else doc.credit(
            "manifest#", by=item
        )
    for item in b.lower((_module(b, "deny", name) for name in sorted(node.deny_imports)), at=GATE):
        doc.add("/imports/deny", item.value, by=item)


def _module(b: Builder, op: str, name: str) -> Item:
    del b
    item = Item(op, name, (f"interpreter.{op}_imports[{name}]",))
    missing = op == "allow" and name.partition(".")[0] not in MODULES
    return item._replace(refused=f"monty has no module {name}") if missing else item


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
    node = b.policy.doc.interpreter
    for name in sorted(node.env) if node else ():
        value, origin = b.ask("env", name), (f"interpreter.env[{name}]",)
        if value is UNKNOWN:
            b.refuse(origin, f"the value of {name} is not known yet", at=ENVIRONMENT)
            continue
        env[name] = str(value)
        for item in b.lower([Item("env", name, origin)], at=ENVIRONMENT):
            b.credit(f"manifest#/env/{escape(name)}", by=item)
    return env
