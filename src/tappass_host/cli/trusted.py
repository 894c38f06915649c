"""Trust, as the CLI asks about it: the rules of a host, with less known about the host.

A host knows its sandbox and its Runtime. A person who checks an envelope may name them or leave them out;
what was left out is taken from the policy itself, and reported as not checked.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from tappass_host.cli.policies import Document
from tappass_host.policy.errors import EnvelopeError, TrustError
from tappass_host.policy.trust.audience import Host
from tappass_host.policy.trust.floor import Floor, FloorKey, check_floor
from tappass_host.policy.trust.head import Head, read_head
from tappass_host.policy.trust.root import Root
from tappass_host.policy.trust.signed import Signed, open_signed
from tappass_host.policy.trust.verify import check_head
from tappass_host.policy.trust.window import check_window
from tappass_host.policy.wire import strict_json


class Bearer(NamedTuple):
    """Whom a policy is checked for; None is not checked."""

    runtime_digest: str | None = None
    sandbox_id: str | None = None
    host_class: str | None = None
    labels: Mapping[str, str] | None = None

    def host(self, head: Head, org_id: str) -> Host:
        """The host that these make, everything else being as the policy wants it."""
        listed = next(iter(head.runtimes.values()), "")
        return Host(
            org_id=org_id,
            runtime_digest=listed if self.runtime_digest is None else self.runtime_digest,
            sandbox_id=head.audience.sandbox_id if self.sandbox_id is None else self.sandbox_id,
            host_class=head.audience.host_class if self.host_class is None else self.host_class,
            labels=head.audience.labels if self.labels is None else self.labels,
        )


class Vouched(NamedTuple):
    """An envelope whose signatures hold, and which applies now."""

    signed: Signed
    head: Head
    floor_key: FloorKey

    @property
    def floor(self) -> Floor:
        """The floor that accepting this policy sets."""
        return Floor(self.head.version, self.signed.digest, self.signed.key_ids)


_NOBODY = Bearer()


def vouch(
    document: Document,
    root: Root,
    *,
    now: int,
    bearer: Bearer = _NOBODY,
    floors: Mapping[FloorKey, Floor] | None = None,
) -> Vouched:
    """Check an envelope against a root.

    Raises:
        EnvelopeError: it is no envelope.
        TrustError: one subclass for each rule.
    """
    require_envelope(document)
    source = document.source
    signed = open_signed(document.envelope, root.keys_of("policy", now=now), now=now, source=source)
    head = read_head(strict_json(signed.payload, source=source), source=source)
    key = FloorKey(root.lineage, head.org_id, head.audience.key)
    try:
        _check_bearer(head, root, bearer)
        check_window(head, now=now)
        check_floor(head.version, signed.digest, (floors or {}).get(key))
    except TrustError as error:
        error.at(source=source)
        raise
    return Vouched(signed, head, key)


def require_envelope(document: Document) -> None:
    """Refuse what nobody signed.

    Raises:
        EnvelopeError: it is a Compiled Policy alone.
    """
    if document.form != "envelope":
        remedy = f"sign it: tappass policy sign {document.source} --key NAME"
        raise EnvelopeError("nobody signed this", source=document.source, remedy=remedy)


def _check_bearer(head: Head, root: Root, bearer: Bearer) -> None:
    if not head.runtimes and bearer.runtime_digest is None:
        # No host would take it, but whoever only asks about signatures gets an answer about those.
        head = replace(head, runtimes={"": ""})
    check_head(head, root, bearer.host(head, root.org_id))
