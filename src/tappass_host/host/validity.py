"""Whether a generation may be in force: its time, and the floor of versions. Pure."""

from collections.abc import Mapping
from typing import Literal

from tappass_host.host.store import Meta
from tappass_host.policy.errors import EquivocationError, ExpiredError, NotYetValidError, RollbackError
from tappass_host.policy.times import format_instant

Validity = Literal["none", "early", "valid", "retained", "expired"]
Floors = Mapping[tuple[str, str, str], tuple[int, str]]


def validity(meta: Meta | None, now: int) -> Validity:
    """Where in the life of what is in force a trusted now lies; `none` if there is nothing."""
    if meta is None or meta.policy_version == 0:
        return "none"
    if now < meta.not_before:
        return "early"
    if now < meta.expires_at:
        return "valid"
    return "retained" if now < meta.retain_until else "expired"


def check_time(meta: Meta, now: int, *, active: bool = False) -> None:
    """Refuse a generation outside its time; what is in force already may be retained.

    Raises:
        NotYetValidError, ExpiredError
    """
    stage = validity(meta, now)
    if stage == "early":
        remedy = "check this machine's clock"
        raise NotYetValidError(f"not valid before {format_instant(meta.not_before)}", remedy=remedy)
    if stage == "expired" or (stage == "retained" and not active):
        remedy = "apply a renewed policy"
        raise ExpiredError(f"the policy ended at {format_instant(meta.expires_at)}", remedy=remedy)


def check_floor(meta: Meta, floors: Floors) -> None:
    """Refuse a version below the floor of its audience, and the same version with other content.

    Raises:
        RollbackError, EquivocationError
    """
    version, policy_digest = floors.get(("host", meta.org, meta.audience), (0, ""))
    if meta.policy_version < version:
        remedy = "issue the older content again under a higher version: `tappass policy revert`"
        raise RollbackError(
            f"version {meta.policy_version} is below {version}, which was in force here", remedy=remedy
        )
    if meta.policy_version == version and meta.policy_digest != policy_digest:
        raise EquivocationError(f"version {version} was seen here with other content")
