"""Configuration of the decision service of one sandbox, schema `tappass.decision/v1`.

Rendered by the provider `decision-service` and the only thing the service runs from. Rules are in the
policy's own form and mean what `decide` says; an aspect that is not there is unmanaged.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import SchemaError
from tappass_host.policy.model import (
    Annotation,
    Filesystem,
    Mcp,
    Network,
    Policy,
    Provenance,
    Tools,
)
from tappass_host.policy.times import parse_instant
from tappass_host.policy.validate import check_grammar
from tappass_host.sdk.configs.parts import Listen, Name, Names, Node, PolicyRef, read_config

SCHEMA: Final = "tappass.decision/v1"
# As large as a policy may be, with its provenance spelled out.
MAX_BYTES: Final = 8 * 1024 * 1024

Dialect = Literal["claude-code"]
Folder = Annotated[str, Meta(pattern=r"^/[^\x00]*$", max_length=4096)]
Uid = Annotated[int, Meta(ge=0, le=4294967295)]


class Admin(Node, frozen=True, kw_only=True):
    """Where people answer, and who they are.

    Args:
        unix: path of the socket, one that the sandbox does not see.
        uids: who may answer; none given means the service's own.
        apart: how they are told from the agent. `uid`: by being another user. `namespace`: by being outside
            of the agent's mount, process and user namespaces; nobody is asked while it is not confined.
        cgroup: whoever is in this control group, or below it, is refused.
    """

    unix: Folder
    uids: tuple[Uid, ...] = ()
    apart: Literal["uid", "namespace"] = "uid"
    cgroup: str = ""


class Approvals(Node, frozen=True, kw_only=True):
    """What becomes of a call that a rule says to ask about.

    Args:
        route: `none` denies it at once, `admin` waits for an answer on the admin socket.
        timeout_s: an answer that takes longer is a denial. The harness waits at least as long.
        pending: calls that may wait at a time; further ones are denied.
        once_s: how long an answer `once` may be used, should the agent have to try again.
        longest_s: the longest that an answer may hold.
        whom: whom the denial text names where no annotation does.
    """

    route: Literal["none", "admin"] = "none"
    timeout_s: Annotated[int, Meta(ge=1, le=3600)] = 45
    pending: Annotated[int, Meta(ge=1, le=256)] = 16
    once_s: Annotated[int, Meta(ge=1, le=86400)] = 600
    longest_s: Annotated[int, Meta(ge=1, le=604800)] = 28800
    whom: str = ""


class Hook(Node, frozen=True, kw_only=True):
    """One dialect that is spoken on `/v1/hook/<dialect>`.

    Args:
        dialect: of the harness.
        answer: what an allow says to the harness. `explicit` says allow, which lifts a closed mode: then a
            hook that dies leaves the call denied. `pass` says nothing, and the harness's own rules go on.
    """

    dialect: Dialect
    answer: Literal["explicit", "pass"] = "explicit"


class View(Node, frozen=True, kw_only=True):
    """How the paths of a call are read.

    Args:
        files: `peer` follows links in the files that the process which asks sees, `host` in the service's.
        home: what `~` stands for.
        workspace: what a shell command may have written, for taint.
    """

    files: Literal["peer", "host"] = "peer"
    home: Folder = "/"
    workspace: str = ""


class Audit(Node, frozen=True, kw_only=True):
    """Where verdicts are recorded. A verdict that cannot be recorded is a denial.

    Args:
        folder: of this service's own log.
        fsync: `always` or `batch`, see `audit.write`.
        witness: a folder that gets every checkpoint, best one that is not on this machine.
    """

    folder: Folder
    fsync: Literal["always", "batch"] = "always"
    witness: str = ""


class Limits(Node, frozen=True, kw_only=True):
    """Bounds of one service."""

    connections: Annotated[int, Meta(ge=1, le=4096)] = 64
    request_bytes: Annotated[int, Meta(ge=1024, le=16777216)] = 4194304
    read_s: Annotated[int, Meta(ge=1, le=60)] = 5
    resolve_s: Annotated[int, Meta(ge=1, le=60)] = 2


class DecisionConfig(Node, frozen=True, kw_only=True):
    """The whole document.

    Args:
        sandbox: whom the socket belongs to; who asks is known by the socket, never by what is sent.
        agent: what budgets are counted by, shared by all sandboxes of an agent.
        state: the database of counts, taint and answers, shared in the same way.
        calls_per_minute: `budget.tool_calls_per_minute`; null for no limit.
    """

    schema: Literal["tappass.decision/v1"]
    policy: PolicyRef
    name: Name
    sandbox: Name
    agent: Name
    mode: Literal["enforce", "observe"]
    listen: Listen
    admin: Admin | None = None
    approvals: Approvals = Approvals()
    hooks: tuple[Hook, ...] = ()
    view: View = View()
    state: Folder
    audit: Audit
    limits: Limits = Limits()
    calls_per_minute: Annotated[int, Meta(ge=0)] | None = None
    tools: Tools | None = None
    mcp: Mcp | None = None
    filesystem: Filesystem | None = None
    network: Network | None = None
    provenance: dict[str, Provenance] = msgspec.field(default_factory=dict)
    annotations: dict[str, Annotation] = msgspec.field(default_factory=dict)
    compliance_tags: dict[Name, Names] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.listen.unix or self.listen.tcp:
            raise ValueError("the service listens on a unix socket only")
        if self.admin is None and self.approvals.route == "admin":
            raise ValueError("approvals need an admin socket")
        if self.admin is not None and self.admin.unix == self.listen.unix:
            raise ValueError("the admin socket is the one of the sandbox")


def decode(data: bytes, *, source: str = "") -> DecisionConfig:
    """Read a rendered configuration.

    Raises:
        WireError: not strict JSON.
        SchemaError: an unknown field, a wrong type, or a part that contradicts another.
        GrammarError: a rule or an instant that is none.
    """
    config = read_config(data, DecisionConfig, max_bytes=MAX_BYTES, source=source)
    parse_instant(config.policy.expires_at)
    check_grammar(_policy(config))
    _check_apart(config)
    return config


def encode(config: DecisionConfig) -> bytes:
    """Write a configuration; the inverse of `decode`, byte-identical for equal values."""
    return msgspec.json.encode(config, order="sorted")


def rules(config: DecisionConfig) -> EffectivePolicy:
    """The rules, to be asked by `decide`."""
    return EffectivePolicy(_policy(config), digest=config.policy.digest)


def _policy(config: DecisionConfig) -> Policy:
    at = config.policy.expires_at
    return Policy(
        version=config.policy.version,
        issued_at=at,
        not_before=at,
        expires_at=at,
        mode=config.mode,
        org_id=config.sandbox[:128],
        tools=config.tools,
        mcp=config.mcp,
        filesystem=config.filesystem,
        network=config.network,
    )


def _check_apart(config: DecisionConfig) -> None:
    """An agent that could answer for a person would approve itself."""
    admin, uids = config.admin, config.listen.uids
    if admin is None or admin.apart != "uid":
        return
    if not uids or not admin.uids or set(uids) & set(admin.uids):
        raise SchemaError(
            "whoever asks could answer: the sandbox and the admin socket share a user",
            pointer="/admin/uids",
            remedy="name different uids in listen and admin, or tell them apart by namespace",
        )
