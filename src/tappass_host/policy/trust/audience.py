"""Whom a policy is for, and who this host is."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from tappass_host.policy.canonical import canonical_bytes
from tappass_host.policy.errors import AudienceError

_NO_LABELS: Mapping[str, str] = MappingProxyType({})


class Audience(msgspec.Struct, frozen=True):
    """One sandbox, a class of hosts with labels, or (nothing named) the whole organisation."""

    sandbox_id: str = ""
    host_class: str = ""
    labels: Mapping[str, str] = _NO_LABELS

    @property
    def key(self) -> str:
        """One spelling per audience, whichever empty fields were written out.

        Fields that name nobody are left out: floors are kept under this key, and a field that a
        later version adds must not give every host a new key and with it no floor.
        """
        named = {"sandbox_id": self.sandbox_id, "host_class": self.host_class, "labels": dict(self.labels)}
        return canonical_bytes({name: value for name, value in named.items() if value}).decode()


class Host(msgspec.Struct, frozen=True):
    """What this host was enrolled as; never taken from a policy.

    Attributes:
        org_id: the organisation that it belongs to.
        runtime_digest: digest of the Runtime that is to be rendered.
        sandbox_id: the sandbox that is to be bound.
        host_class: its class.
        labels: its labels.
    """

    org_id: str
    runtime_digest: str
    sandbox_id: str = ""
    host_class: str = ""
    labels: Mapping[str, str] = _NO_LABELS


def check_audience(audience: Audience, host: Host) -> None:
    """Refuse a policy that names anyone else: everything it names must be true of this host.

    Raises:
        AudienceError: with the pointer of the first field that differs.
    """
    if audience.sandbox_id not in ("", host.sandbox_id):
        raise AudienceError("policy for another sandbox", pointer="/audience/sandbox_id")
    if audience.host_class not in ("", host.host_class):
        raise AudienceError("policy for another class of hosts", pointer="/audience/host_class")
    if not audience.labels.items() <= host.labels.items():
        raise AudienceError("policy for hosts with other labels", pointer="/audience/labels")
