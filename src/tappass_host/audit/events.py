"""What can be recorded: one frozen Struct per kind of event, told apart by `type`.

Events that an agent can cause at will (`CAUSED_BY_AGENT`) are limited in rate; those of the log itself
(`segment`, `epoch`, …) are written by the writer alone. Texts of an agent are cut by `cut` before they come
here: a record is at most `record.MAX_LINE` bytes.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from tappass_host.policy.wire import printable

Count = Annotated[int, Meta(ge=0, le=9007199254740991)]
Texts = tuple[str, ...]


class Event(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of all events."""


class PolicyLabel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which policy an event is about."""

    digest: str = ""
    version: Count = 0


# Of the log itself.


class Segment(Event, frozen=True, kw_only=True, tag="segment"):
    """First record of each file. `public` is the key in force, so that a file can be checked by itself."""

    schema: Literal["tappass.audit/v1"] = "tappass.audit/v1"
    number: Count
    public: str
    component: str
    sandbox: str = ""


class Epoch(Event, frozen=True, kw_only=True, tag="epoch"):
    """The next records are signed by another key; the one that signs this record is erased."""

    number: Count
    public: str


class Suppressed(Event, frozen=True, kw_only=True, tag="suppressed"):
    """Events over the rate limit, counted by kind. `digest` chains what was left out, in order."""

    since: str
    until: str
    count: Count
    kinds: dict[str, Count]
    digest: str


class Recovered(Event, frozen=True, kw_only=True, tag="recovered"):
    """A last line that was cut short by a crash was taken away."""

    bytes: Count
    digest: str


class Pruned(Event, frozen=True, kw_only=True, tag="pruned"):
    """Old files were removed on purpose. `head` is the hash of the last record that is gone."""

    first: Count
    last: Count
    seq: Count
    head: str


class WitnessFailed(Event, frozen=True, kw_only=True, tag="witness_failed"):
    """A checkpoint could not be handed to a witness."""

    seq: Count
    reason: str


# Of components.


class Started(Event, frozen=True, kw_only=True, tag="started"):
    """A component began to work from a configuration."""

    component: str
    version: str
    policy: PolicyLabel = PolicyLabel()
    config: str = ""
    mode: str = ""


class Stopped(Event, frozen=True, kw_only=True, tag="stopped"):
    """A component ended in order."""

    component: str
    reason: str = ""


class Reloaded(Event, frozen=True, kw_only=True, tag="reloaded"):
    """Another configuration is in force, or could not be put in force."""

    policy: PolicyLabel
    config: str = ""
    error: str = ""


# Of decisions.


class Decided(Event, frozen=True, kw_only=True, tag="decision"):
    """One verdict. `would` is what the policy says where it only observes.

    `what` is for people and cut; `args` is the digest of the canonical arguments, never the arguments.
    """

    request: str
    sandbox: str
    dialect: str = ""
    tool: str
    what: str
    args: str
    effect: Literal["allow", "deny", "ask"]
    would: str = ""
    statement: str = ""
    level: str = ""
    source: str = ""
    reason: str = ""
    policy: PolicyLabel
    tags: Texts = ()
    tainted: Texts = ()
    approval: str = ""
    session: str = ""
    call: str = ""
    uid: int = -1


class Asked(Event, frozen=True, kw_only=True, tag="asked"):
    """A person is asked about a call."""

    request: str
    sandbox: str
    tool: str
    what: str
    binding: str
    expires: str


class Approval(Event, frozen=True, kw_only=True, tag="approval"):
    """A person, or time, answered. `uid` and `pid` are those of whoever answered."""

    request: str
    answer: Literal["once", "for", "deny", "timeout", "gone"]
    binding: str
    until: str = ""
    uid: int = -1
    pid: int = -1


class AdminRefused(Event, frozen=True, kw_only=True, tag="admin_refused"):
    """Somebody who may not tried to use the admin socket."""

    uid: int
    pid: int
    reason: str


class Tainted(Event, frozen=True, kw_only=True, tag="tainted"):
    """A label was set, or cleared by a person."""

    request: str
    sandbox: str
    label: str
    by: str
    cleared: bool = False


# Of the host.


class Applied(Event, frozen=True, kw_only=True, tag="applied"):
    """A generation is in force, with what it covers and what it does not."""

    policy: PolicyLabel
    runtime: str
    generation: str
    targets: dict[str, str] = {}
    coverage: dict[str, Count] = {}
    gaps: Texts = ()


class Refused(Event, frozen=True, kw_only=True, tag="refused"):
    """A policy, a file or a launch was turned away; nothing was written."""

    what: str
    reason: str
    error: str
    policy: PolicyLabel = PolicyLabel()


class Drifted(Event, frozen=True, kw_only=True, tag="drift"):
    """A file was not what we wrote. `restored` says whether it is again."""

    target: str
    path: str
    expected: str
    found: str
    restored: bool


class Expired(Event, frozen=True, kw_only=True, tag="expired"):
    """The policy ended; `action` is what was put in force."""

    policy: PolicyLabel
    action: Literal["lockdown", "retain", "stale"]


class Quarantined(Event, frozen=True, kw_only=True, tag="quarantine"):
    """No valid generation: lock-down is in force and launches are refused. Or: that is over."""

    reason: str
    over: bool = False


class Launched(Event, frozen=True, kw_only=True, tag="launch"):
    """A target was started under supervision, or ended."""

    target: str
    generation: str
    sandbox: str
    pid: int
    exit: int | None = None


class TargetUpgraded(Event, frozen=True, kw_only=True, tag="target_upgraded"):
    """The program of a target is another one; what that changes in coverage."""

    target: str
    before: str
    after: str
    lost: Texts = ()
    gained: Texts = ()


OF_LOG: Final = (Segment, Epoch, Suppressed, Recovered, Pruned, WitnessFailed)
CAUSED_BY_AGENT: Final = (Decided, Asked, AdminRefused, Tainted)
AnyEvent = (
    Segment
    | Epoch
    | Suppressed
    | Recovered
    | Pruned
    | WitnessFailed
    | Started
    | Stopped
    | Reloaded
    | Decided
    | Asked
    | Approval
    | AdminRefused
    | Tainted
    | Applied
    | Refused
    | Drifted
    | Expired
    | Quarantined
    | Launched
    | TargetUpgraded
)

_LONGEST: Final = 240


def cut(text: str, limit: int = _LONGEST) -> str:
    """A text of an agent, safe to print: control and bidi characters escaped, at most `limit` characters."""
    # A lone surrogate has no UTF-8 form; `printable` escapes it with the rest.
    safe = printable(text[: limit + 1])
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"
