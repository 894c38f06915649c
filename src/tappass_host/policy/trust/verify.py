"""All trust rules in order, on bytes, without I/O: may this policy apply here and now?

Sizes, envelope and signatures come first; only then is the payload decoded. Whatever is
refused has changed nothing: the caller writes the new floor after it accepted the result.
"""

from collections.abc import Mapping
from typing import cast

import msgspec

from tappass_host.policy.errors import OrgMismatchError, RuntimeDigestError, TrustError
from tappass_host.policy.trust.audience import Host, check_audience
from tappass_host.policy.trust.ceiling import check_ceiling
from tappass_host.policy.trust.floor import Floor, FloorKey, check_floor
from tappass_host.policy.trust.head import Head, read_head
from tappass_host.policy.trust.root import Root
from tappass_host.policy.trust.signed import Signed, open_signed
from tappass_host.policy.trust.window import check_window
from tappass_host.policy.wire import strict_json


class Verified(msgspec.Struct, frozen=True):
    """A policy that may apply on this host now.

    Attributes:
        payload: the exact signed bytes.
        digest: `sha256:<hex>` of them.
        key_ids: the distinct trusted keys that signed.
        document: the decoded payload, for the schema's own reader.
        head: the fields that were judged.
        floor_key: under which `floor` is to be kept.
    """

    payload: bytes
    digest: str
    key_ids: tuple[str, ...]
    document: dict[str, object]
    head: Head
    floor_key: FloorKey

    @property
    def floor(self) -> Floor:
        """The floor that accepting this policy sets."""
        return Floor(self.head.version, self.digest, self.key_ids)


def verify_policy(
    data: bytes,
    root: Root,
    *,
    now: int,
    floors: Mapping[FloorKey, Floor],
    host: Host,
    active: bool = False,
    source: str = "",
) -> Verified:
    """Verify a policy envelope.

    Args:
        data: the envelope.
        root: the trusted root.
        now: trusted Unix seconds.
        floors: every floor that this host keeps; the right one is chosen by what was signed.
        host: who this host is.
        active: the policy is in force already, so `on_expiry: retain` may keep it.
        source: file name for messages.

    Raises:
        TrustError: one subclass per rule; PolicyError: signed bytes that are no policy.
    """
    signed = open_signed(data, root.keys_of("policy", now=now), now=now, source=source)
    document = strict_json(signed.payload, source=source)
    head = read_head(document, source=source)
    key = FloorKey(root.lineage, head.org_id, head.audience.key)
    try:
        check_head(head, root, host)
        check_window(head, now=now, active=active)
        check_floor(head.version, signed.digest, floors.get(key))
    except TrustError as error:
        error.at(source=source)
        raise
    return _verified(signed, document, head, key)


def check_head(head: Head, root: Root, host: Host) -> None:
    """Refuse a policy that is not for this host, whatever the time.

    Raises:
        OrgMismatchError, AudienceError, RuntimeDigestError, CeilingError: in this order.
    """
    if not head.org_id == root.org_id == host.org_id:
        message = f"policy of {head.org_id!r}, root of {root.org_id!r}, host of {host.org_id!r}"
        raise OrgMismatchError(message, pointer="/org_id")
    check_audience(head.audience, host)
    if host.runtime_digest not in head.runtimes.values():
        remedy = "compile the policy with this Runtime"
        raise RuntimeDigestError(
            f"Runtime {host.runtime_digest} is not listed", pointer="/runtimes", remedy=remedy
        )
    check_ceiling(head, root.ceiling)


def _verified(signed: Signed, document: object, head: Head, key: FloorKey) -> Verified:
    # read_head has established that the document is an object.
    table = cast("dict[str, object]", document)
    return Verified(signed.payload, signed.digest, signed.key_ids, table, head, key)
