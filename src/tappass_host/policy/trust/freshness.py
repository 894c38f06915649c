"""Freshness: proof that nothing newer is being held back.

Whoever can drop messages can keep a host on an old policy that still verifies. So the
control plane signs, often and with its own key, which policy is the newest; a host that
sees no recent statement knows that it may be cut off.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tappass_host.policy.errors import (
    AudienceError,
    EquivocationError,
    GrammarError,
    NotYetValidError,
    OrgMismatchError,
    RollbackError,
    StaleError,
    TrustError,
)
from tappass_host.policy.times import format_instant, parse_instant
from tappass_host.policy.trust.document import Node, read
from tappass_host.policy.trust.floor import Floor
from tappass_host.policy.trust.root import Root
from tappass_host.policy.trust.signed import open_signed
from tappass_host.policy.trust.verify import Verified
from tappass_host.policy.wire import MAX_INTEGER

# How far the signer's clock may be ahead of the host's; more would buy undue freshness.
MAX_SKEW_S = 300


class Statement(Node, frozen=True, kw_only=True):
    """What is signed; encode it with `canonical_bytes`.

    Attributes:
        org_id: whose policy.
        audience: `Audience.key` of the policy, so that a statement about one audience says
            nothing about another.
        version: the newest version.
        digest: of that policy's exact bytes.
        issued_at: RFC 3339.
    """

    schema: Literal["tappass.freshness/v1"]
    org_id: str
    audience: str
    version: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    digest: str
    issued_at: str


class Fresh(msgspec.Struct, frozen=True):
    """A statement that supports the active policy.

    Attributes:
        issued_at: Unix seconds, also a lower bound of the true time.
        state: `grace` when it is older than `max_age_s`.
        stale_at: from when it supports nothing.
        floor: that the statement confirms; what a host which lost its floors starts from.
    """

    issued_at: int
    state: Literal["fresh", "grace"]
    stale_at: int
    floor: Floor


def state_newest(policy: Verified, *, issued_at: int) -> Statement:
    """Make the statement that a policy is the newest for its audience."""
    return Statement(
        schema="tappass.freshness/v1",
        org_id=policy.head.org_id,
        audience=policy.head.audience.key,
        version=policy.head.version,
        digest=policy.digest,
        issued_at=format_instant(issued_at),
    )


def verify_freshness(
    data: bytes, root: Root, policy: Verified, *, now: int, max_age_s: int, grace_s: int = 0, source: str = ""
) -> Fresh:
    """Verify that a policy is still the newest.

    Args:
        data: the envelope of a freshness statement.
        root: the trusted root.
        policy: the active policy.
        now: trusted Unix seconds.
        max_age_s: how old the statement may be.
        grace_s: for how long after that it still supports the policy.
        source: file name for messages.

    Raises:
        StaleError: too old, or a newer policy exists.
        TrustError: one subclass per other rule; PolicyError: signed bytes that are no statement.
    """
    signed = open_signed(data, root.keys_of("freshness", now=now), now=now, source=source)
    statement = read(signed.payload, Statement, source=source)
    try:
        issued_at = _issued_at(statement, now)
        _check_subject(statement, policy)
        state = _state(now - issued_at, max_age_s, grace_s)
    except (TrustError, GrammarError) as error:
        error.at(source=source)
        raise
    floor = Floor(statement.version, statement.digest, signed.key_ids, "freshness")
    return Fresh(issued_at, state, issued_at + max_age_s + grace_s, floor)


def _issued_at(statement: Statement, now: int) -> int:
    try:
        issued_at = parse_instant(statement.issued_at)
    except GrammarError as error:
        error.at(pointer="/issued_at")
        raise
    if issued_at - now > MAX_SKEW_S:
        raise NotYetValidError("issued in the future", pointer="/issued_at", remedy="check both clocks")
    return issued_at


def _check_subject(statement: Statement, policy: Verified) -> None:
    head = policy.head
    if statement.org_id != head.org_id:
        raise OrgMismatchError("statement of another organisation", pointer="/org_id")
    if statement.audience != head.audience.key:
        raise AudienceError("statement about another audience", pointer="/audience")
    if statement.version > head.version:
        raise StaleError(
            f"version {statement.version} is in force, here is {head.version}", pointer="/version"
        )
    if statement.version < head.version:
        message = f"statement about version {statement.version}, here is {head.version}"
        raise RollbackError(message, pointer="/version")
    if statement.digest != policy.digest:
        message = f"version {head.version} is {statement.digest}, here is {policy.digest}"
        raise EquivocationError(message, pointer="/digest")


def _state(age: int, max_age_s: int, grace_s: int) -> Literal["fresh", "grace"]:
    if age > max_age_s + grace_s:
        message = f"newest statement is {age} s old, at most {max_age_s} + {grace_s} s are allowed"
        raise StaleError(
            message, pointer="/issued_at", remedy="`tappass policy freshen`, or check the network"
        )
    return "fresh" if age <= max_age_s else "grace"
