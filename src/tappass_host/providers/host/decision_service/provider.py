"""The decision service of this package: the rules a harness's own format cannot hold, asked call by call.

The service judges by `decide` itself, so no rule loses anything on the way. What it says is done by the
harness, which asks through a hook: another process decides, but no other process stops. So every claim here
is cooperative, however sound the answer is. A kernel ring holds what the harness might do all the same; for
files and hosts its claims are what closes a gap.
"""

from typing import Final, Literal

import msgspec

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import RenderError
from tappass_host.policy.model import McpServer
from tappass_host.sdk.artifacts import Endpoint, Launch
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Evidence, Item, Reach
from tappass_host.sdk.configs.decision import SCHEMA
from tappass_host.sdk.contract import Options, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.hooks import HOOK_PROGRAM, hook_needs
from tappass_host.sdk.lowering import (
    Limit,
    LimitFeatures,
    McpFeatures,
    Place,
    lower_limits,
    lower_mcp,
    lower_verbatim,
)

ANYONE: Final = "default"


class DecisionOptions(Options, frozen=True, kw_only=True):
    """Whom it serves, who may be asked, and how it answers.

    Attributes:
        sandbox: the sandbox it serves, written into every audit record.
        agent: whose budget is counted; the policy's own agent if empty.
        uids: who may ask; the service's own user if empty.
        admin_uids: who may answer; the service's own user if empty.
        approvals: `none` denies what a person would be asked about, `admin` waits for an answer.
        apart: how who answers is told from who asks: by user, or by namespaces.
        cgroup: control group of the sandbox; nobody in it may answer.
        timeout_s: how long a call waits for an answer.
        whom: whom a denial names where no annotation does.
        answer: `explicit` says allow to the harness, `pass` leaves it to the harness's own rules.
        files: whose file system paths are read in: that of the process that asks, or the service's.
        witness: a folder that gets every checkpoint of the audit log.
    """

    sandbox: str = ANYONE
    agent: str = ""
    uids: tuple[int, ...] = ()
    admin_uids: tuple[int, ...] = ()
    approvals: Literal["none", "admin"] = "none"
    apart: Literal["uid", "namespace"] = "namespace"
    cgroup: str = ""
    timeout_s: int = 45
    whom: str = ""
    answer: Literal["explicit", "pass"] = "explicit"
    files: Literal["peer", "host"] = "peer"
    witness: str = ""


INFO: Final = ProviderInfo(
    id="decision-service",
    position="host",
    target="tappass-host decision service",
    version="1.0.0",
    sdk="1.0",
    versions=("0.1",),
    platforms=("linux",),
    options=DecisionOptions,
    effects={"decision": "live", "launch": "process_restart"},
    records=("decision", "arguments"),
    covers={
        "tools": ("tool",),
        "mcp": ("tool",),
        "filesystem": ("tool",),
        "network": ("tool",),
        "budget": ("tool",),
        "head": ("tool",),
    },
    cannot={
        "head.freshness": "runs from one configuration; the supervisor knows how old the newest statement is",
    },
)

_SOURCE: Final = "https://www.rfc-editor.org/rfc/rfc9110#name-introduction"
_READ: Final = "2026-11-23"
EVIDENCE: Final = Evidence(_SOURCE, _READ, ("0.1",), "decision-service/hook")
DECISION: Final = Reach("decision", ("tool",), "cooperative", EVIDENCE)
ARGUMENTS: Final = Reach(
    "arguments",
    ("tool",),
    "cooperative",
    EVIDENCE,
    escape="sees what stands in a call: a path can lead elsewhere by the time it is used",
)
# With `pass`, nothing but the hook stands between a call and its tool.
KILLED: Final = "a hook that is killed says nothing, and then the harness's own rules decide"

MCP: Final = McpFeatures(
    servers="identity",
    tools=True,
    ask=True,
    holds=frozenset({"constraints", "resources"}),
    cannot="is asked about calls of tools, before they are made",
)
STARTS: Final = "is asked about calls, not about starting a server"
FEATURES: Final = "is asked about calls, not about what a server asks of the harness (sampling)"
CALLS: Final = LimitFeatures(
    aspect="budget", fields=("tool_calls_per_minute",), holds={"tool_calls_per_minute": ""}, why={}
)
_ASPECTS: Final = frozenset({"tools", "mcp", "filesystem", "network", "budget"})


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render the configuration of one service for one sandbox.

    Raises:
        RenderError: options that contradict each other.
    """
    return _Rendering(policy, target).config()


class _Rendering:
    """One run: the document and what is put into it."""

    def __init__(self, policy: EffectivePolicy, target: TargetCapabilities) -> None:
        self.b = Builder(INFO, policy, target)
        self.policy, self.options = self.b.policy, target.options_as(DecisionOptions)
        self.paths = target.paths
        path = f"{self.options.sandbox}/decision.json"
        self.doc = self.b.doc("decision", root="run", path=path, owner="user", mode=0o600)

    def config(self) -> TargetConfig:
        _check(self.options)
        self._head()
        self._places()
        self._approvals()
        self._rules()
        self._servers()
        self._notes()
        self.b.launch(
            Launch(program="tappass-decision", args=("--config", self.doc.path)),
            by="the service runs from this file and nothing else",
        )
        self.b.offer(Endpoint(id=INFO.id, unix=self._socket()))
        client = self.b.ask("program", HOOK_PROGRAM)
        if isinstance(client, str) and client:
            self.b.need(*hook_needs(client))
        return self.b.build()

    def _at(self, reach: Reach) -> Reach:
        if self.options.answer == "explicit":
            return reach
        return reach._replace(escape="; ".join(part for part in (KILLED, reach.escape) if part))

    # -- who and where

    def _head(self) -> None:
        doc, policy, why = self.doc, self.policy, "for which policy, sandbox and agent"
        said = policy.doc
        named = "/".join(part for part in (said.org_id, said.project_id, said.agent_id) if part)
        doc.set("/schema", SCHEMA, by=why)
        doc.set("/policy/digest", policy.digest, by=why)
        doc.set("/policy/version", said.version, by=why)
        doc.set("/name", named, by=why)
        doc.set("/sandbox", self.options.sandbox, by=why)
        doc.set("/agent", self.options.agent or named, by=why)
        doc.set("/mode", said.mode, by=why)
        hook = {"dialect": "claude-code", "answer": self.options.answer}
        doc.add("/hooks", hook, by="what harnesses speak to it")
        expiry = Item("expires", policy.until, policy.ids("head.expires_at"))
        for item in self.b.lower([expiry], at=self._at(DECISION)):
            doc.set("/policy/expires_at", item.value, by=item)

    def _run(self) -> str:
        return self.paths.get("run", "/run/tappass")

    def _socket(self) -> str:
        return f"{self._run()}/{self.options.sandbox}/decision.sock"

    def _places(self) -> None:
        doc, options = self.doc, self.options
        # What it remembers outlives generations; a host may keep that apart from what it renders.
        state = self.paths.get("data") or self.paths.get("state", "/var/lib/tappass")
        files = self.policy.doc.filesystem
        doc.set("/listen/unix", self._socket(), by="one socket for one sandbox")
        if options.uids:
            doc.set("/listen/uids", list(options.uids), by="nobody else may ask")
        why = "where it remembers and records"
        doc.set("/state", f"{state}/decision/{_file_name(self.policy, options)}.db", by=why)
        doc.set("/audit/folder", f"{state}/audit/decision-{options.sandbox}", by=why)
        if options.witness:
            doc.set("/audit/witness", options.witness, by="who else keeps checkpoints")
        seen = "paths are read as the agent sees them"
        doc.set("/view/files", options.files, by=seen)
        doc.set("/view/home", self.paths.get("home", "/root"), by=seen)
        workspace = (files.workspace if files else "") or self.paths.get("workspace", "")
        doc.set("/view/workspace", workspace, by="what a shell may have written")

    def _approvals(self) -> None:
        doc, options = self.doc, self.options
        why = "whom an ask goes to; nobody means deny"
        doc.set("/approvals/route", options.approvals, by=why)
        doc.set("/approvals/timeout_s", options.timeout_s, by=why)
        doc.set("/approvals/whom", options.whom, by=why)
        if options.approvals == "none":
            return
        doc.set("/admin/unix", f"{self._run()}/admin/{options.sandbox}.sock", by="outside of every sandbox")
        doc.set("/admin/apart", options.apart, by="an agent must not answer itself")
        if options.admin_uids:
            doc.set("/admin/uids", list(options.admin_uids), by="nobody else may answer")
        if options.cgroup:
            doc.set("/admin/cgroup", options.cgroup, by="an agent must not answer itself")

    # -- rules

    def _rules(self) -> None:
        asked = (self._asked(item) for item in lower_verbatim(self.policy, "tools"))
        for item in self.b.lower(asked, at=self._at(DECISION)):
            self._rule(item)
        for aspect in ("filesystem", "network"):
            for item in self.b.lower(lower_verbatim(self.policy, aspect), at=self._at(ARGUMENTS)):
                self._rule(item)
        network = self.policy.doc.network
        if network is not None and network.category_domains:
            domains = {name: list(found) for name, found in network.category_domains.items()}
            self.doc.set("/network/category_domains", domains, by="what the denied categories stand for")
        for item in self.b.lower(lower_limits(self.policy, CALLS), at=self._at(DECISION)):
            assert isinstance(item.value, Limit)
            self.doc.set("/calls_per_minute", item.value.number, by=item)

    def _asked(self, item: Item) -> Item:
        """Where nobody can be asked, an ask is denied."""
        assert isinstance(item.value, Place)
        asks = item.value.pointer == "/tools/ask" or item.value.value == "ask"
        return item._replace(fidelity="stricter") if asks and self.options.approvals == "none" else item

    def _rule(self, item: Item) -> None:
        assert isinstance(item.value, Place)
        match item.op:
            case "set":
                self.doc.set(item.value.pointer, item.value.value, by=item)
            case "add":
                self.doc.add(item.value.pointer, item.value.value, by=item)
            case _:
                self.doc.credit(f"decision#{item.value.pointer}", by=item)

    def _servers(self) -> None:
        node = self.policy.doc.mcp
        if node is None:
            return
        entries = {server.id: _entry(server) for server in node.servers}
        features = MCP._replace(ask=self.options.approvals == "admin")
        for item in self.b.lower(map(_started, lower_mcp(self.policy, features)), at=self._at(DECISION)):
            if item.op == "default":
                self.doc.set("/mcp/default", item.value, by=item)
            else:
                self.doc.add("/mcp/servers", entries[_server_of(item)], by=item)

    def _notes(self) -> None:
        """What is said to whoever is denied, and stamped on records."""
        doc = self.policy.doc
        mine = {s.id for s in self.policy.statements if s.aspect in _ASPECTS}
        tags = {tag: sorted(mine.intersection(ids)) for tag, ids in doc.compliance_tags.items()}
        for pointer, notes, why in (
            ("/annotations", doc.annotations, "shown to whoever is denied"),
            ("/provenance", doc.provenance, "recorded with each verdict"),
        ):
            found = {key: msgspec.to_builtins(notes[key]) for key in sorted(mine.intersection(notes))}
            if found:
                self.doc.set(pointer, found, by=why)
        stamped = {tag: ids for tag, ids in sorted(tags.items()) if ids}
        if stamped:
            self.doc.set("/compliance_tags", stamped, by="recorded with each verdict")


def _check(options: DecisionOptions) -> None:
    if options.approvals == "none" or options.apart == "namespace":
        return
    if not options.uids or not options.admin_uids or set(options.uids) & set(options.admin_uids):
        raise RenderError(
            "whoever asks could answer: uids and admin_uids have to be named and differ",
            remedy="name both, or tell them apart by namespace",
        )


def _file_name(policy: EffectivePolicy, options: DecisionOptions) -> str:
    """A file for each agent, whatever characters its name has."""
    from tappass_host.policy.canonical import canonical_bytes, digest

    said = policy.doc
    who = [said.org_id, said.project_id, said.agent_id, options.agent]
    return digest(canonical_bytes(who)).removeprefix("sha256:")[:16]


def _entry(server: McpServer) -> object:
    """A server without what is nothing to a verdict: how it logs in, and what it may send back."""
    plain = msgspec.structs.replace(server, auth_ref="", pins={}, max_result_kb=None)
    return msgspec.json.decode(msgspec.json.encode(plain))


def _started(item: Item) -> Item:
    """What happens around calls is not asked about."""
    if item.op == "server":
        return item._replace(loss=FEATURES)
    return item._replace(loss=STARTS) if item.op == "default" and item.value == "deny" else item


def _server_of(item: Item) -> str:
    if isinstance(item.value, McpServer):
        return item.value.id
    if hasattr(item.value, "server"):
        return str(item.value.server)
    return item.origins[0].partition("[")[2].partition("]")[0]
