"""Issuing policies: the bytes of a Compiled Policy, and the same content under another head."""

from typing import Any

import msgspec

from tappass_host.policy.canonical import canonical_bytes
from tappass_host.policy.model import Policy
from tappass_host.policy.times import format_instant, parse_instant

# Who says it and when changes with every compilation; what it says does not.
_MOVING = ("version", "issued_at", "not_before", "expires_at", "apply_by", "retain_until")


def encode(policy: Policy) -> bytes:
    """The bytes of a policy file: canonical order, one member a line, absent fields left out."""
    plain = msgspec.to_builtins(policy)
    # A value of an extension may be null and mean it.
    kept = {name: value if name == "extensions" else _present(value) for name, value in plain.items()}
    return msgspec.json.format(canonical_bytes(_present(kept, deep=False)), indent=2) + b"\n"


def _present(value: Any, *, deep: bool = True) -> Any:
    if isinstance(value, dict):
        return {k: _present(v) if deep else v for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_present(member) for member in value]
    return value


def same_content(a: Policy, b: Policy) -> bool:
    """True if two policies say the same, whenever they were issued."""
    return _content(a) == _content(b)


def _content(policy: Policy) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(policy)
    for name in _MOVING:
        del plain[name]
    # The statement of the expiry is as old as the expiry.
    for table in ("provenance", "annotations"):
        plain[table] = {k: v for k, v in plain[table].items() if not k.startswith("head.expires_at[")}
    return plain


def reissue(policy: Policy, *, version: int, start: int, lasts: int | None = None) -> Policy:
    """The same content under a new version, beginning at `start`.

    Args:
        policy: what is said.
        version: the new version.
        start: Unix seconds.
        lasts: how long it is valid, in seconds; as long as before if None.
    """
    began, ended = parse_instant(policy.not_before), parse_instant(policy.expires_at)
    end = start + (ended - began if lasts is None else lasts)
    moved = {"not_before": format_instant(start), "expires_at": format_instant(end)}
    if policy.apply_by is not None:
        moved["apply_by"] = format_instant(min(start + parse_instant(policy.apply_by) - began, end))
    if policy.retain_until is not None:
        moved["retain_until"] = format_instant(end + parse_instant(policy.retain_until) - ended)
    fresh = msgspec.structs.replace(policy, version=version, issued_at=moved["not_before"], **moved)
    return _renamed_expiry(fresh, policy.expires_at)


def _renamed_expiry(policy: Policy, old: str) -> Policy:
    """The id of the expiry's statement holds the instant: carry over what was said about it."""
    before, after = f"head.expires_at[{old}]", f"head.expires_at[{policy.expires_at}]"
    tables = {
        name: {after if key == before else key: value for key, value in getattr(policy, name).items()}
        for name in ("provenance", "annotations")
    }
    tags = {
        tag: tuple(sorted(after if key == before else key for key in ids))
        for tag, ids in policy.compliance_tags.items()
    }
    return msgspec.structs.replace(policy, compliance_tags=tags, **tables)
