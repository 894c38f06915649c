"""Records for other systems: JSON Lines as they are, or shaped as OCSF events. Pure.

OCSF 1.3 classes (https://schema.ocsf.io/1.3.0, read 2026-11-23): a decision of ours is an API Activity
(6003), an applied policy a Device Config State Change (5019), a denied or quarantined thing a Detection
Finding (2004), the rest an Application Lifecycle event (6002). What has no place there stays whole in
`unmapped`, so that nothing is lost.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple

import msgspec

from tappass_host.audit.record import Record, hash_of, line_of, milliseconds
from tappass_host.policy.canonical import canonical_bytes

Format = Literal["jsonl", "ocsf"]
OCSF_VERSION: Final = "1.3.0"


class _Class(NamedTuple):
    """An OCSF class with the activity and severity that an event has in it."""

    category: int
    uid: int
    name: str
    activity: int
    severity: int


_API: Final = _Class(6, 6003, "API Activity", 99, 1)
_CONFIG: Final = _Class(5, 5019, "Device Config State Change", 1, 1)
_FINDING: Final = _Class(2, 2004, "Detection Finding", 1, 3)
_LIFE: Final = _Class(6, 6002, "Application Lifecycle", 99, 1)

_CLASSES: Final[dict[str, _Class]] = {
    "decision": _API,
    "asked": _API,
    "approval": _API,
    "applied": _CONFIG,
    "reloaded": _CONFIG,
    "drift": _FINDING,
    "refused": _FINDING,
    "quarantine": _FINDING,
    "admin_refused": _FINDING,
    "suppressed": _FINDING,
    "started": _LIFE._replace(activity=3),
    "stopped": _LIFE._replace(activity=4),
}
# OCSF status: 1 success, 2 failure.
_FAILED: Final = frozenset({"deny"})


def export(records: Iterable[Record], form: Format, *, product: str) -> Iterator[bytes]:
    """The records, one line each, with line feeds."""
    shape: Callable[[Record, str], bytes] = _SHAPES[form]
    for record in records:
        yield shape(record, product) + b"\n"


def _jsonl(record: Record, product: str) -> bytes:
    del product
    return line_of(record)


def _ocsf(record: Record, product: str) -> bytes:
    return canonical_bytes(ocsf(record, product))


_SHAPES: Final[dict[Format, Callable[[Record, str], bytes]]] = {"jsonl": _jsonl, "ocsf": _ocsf}


def ocsf(record: Record, product: str) -> dict[str, Any]:
    """One record as an OCSF event.

    Args:
        record: of the chain.
        product: version of this package.
    """
    kind = _CLASSES.get(record.kind, _LIFE)
    event = record.event
    denied = event.get("effect") in _FAILED
    shaped: dict[str, Any] = {
        "activity_id": kind.activity,
        "activity_name": record.kind,
        "category_uid": kind.category,
        "class_uid": kind.uid,
        "class_name": kind.name,
        "type_uid": kind.uid * 100 + kind.activity,
        "severity_id": max(kind.severity, 3) if denied else kind.severity,
        "status_id": 2 if denied else 1,
        "time": milliseconds(record.at),
        "metadata": _metadata(record, product),
        "unmapped": msgspec.to_builtins(record),
    }
    return shaped | _subject(kind, event)


def _metadata(record: Record, product: str) -> dict[str, Any]:
    tags = record.event.get("tags", [])
    return {
        "version": OCSF_VERSION,
        "product": {"name": "tappass-host", "vendor_name": "tappass-host", "version": product},
        "uid": f"{record.log}:{record.seq}",
        "log_name": record.log,
        "sequence": record.seq,
        "original_time": record.at,
        "fingerprint": {"algorithm_id": 3, "value": hash_of(line_of(record))},
        **({"labels": list(tags)} if tags else {}),
    }


def _subject(kind: _Class, event: dict[str, Any]) -> dict[str, Any]:
    """What the class asks for, from the fields of the event."""
    name = str(event.get("type", ""))
    if kind.uid == _API.uid:
        return {
            "api": {"operation": str(event.get("tool", name)), "request": {"uid": str(event["request"])}},
            "actor": {"app_uid": str(event.get("sandbox", "")), "app_name": "agent"},
            "message": str(event.get("what", event.get("answer", ""))),
            "status_detail": str(event.get("reason", "")),
            "policy": {"uid": str(event.get("statement", "")), "version": _version(event)},
        }
    if kind.uid == _FINDING.uid:
        return {"finding_info": {"title": name, "uid": name}, "message": str(event.get("reason", name))}
    if kind.uid == _CONFIG.uid:
        return {"device": {"type_id": 0}, "message": str(event.get("generation", name))}
    return {"app": {"name": str(event.get("component", "tappass-host")), "vendor_name": "tappass-host"}}


def _version(event: dict[str, Any]) -> str:
    policy = event.get("policy", {})
    return str(policy.get("version", "")) if isinstance(policy, dict) else ""
