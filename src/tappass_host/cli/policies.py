"""Reading policies that a person names: a Compiled Policy, or an envelope that holds one."""

from functools import cached_property
from typing import Literal

from tappass_host.cli.files import name_of, read
from tappass_host.cli.places import locate
from tappass_host.policy.canonical import digest
from tappass_host.policy.decode import policy_of
from tappass_host.policy.errors import EnvelopeError, PolicyError
from tappass_host.policy.model import Policy
from tappass_host.policy.wire import MAX_BYTES, strict_json

Form = Literal["compiled", "envelope"]


class Document:
    """A policy as it came in. Its signatures are not looked at, and it is not decoded before it is used.

    Attributes:
        form: what the file was; nothing is said about trust.
        source: how messages call the file.
        payload: the exact bytes of the policy.
        envelope: the bytes of the envelope; empty for a compiled policy.
    """

    def __init__(self, form: Form, source: str, payload: bytes, envelope: bytes = b"") -> None:
        self.form = form
        self.source = source
        self.payload = payload
        self.envelope = envelope

    @cached_property
    def json(self) -> object:
        """The policy as plain values.

        Raises:
            WireError: it is not strict JSON.
        """
        return strict_json(self.payload, source=self.source)

    @cached_property
    def policy(self) -> Policy:
        """The policy.

        Raises:
            WireError, SchemaError, GrammarError, PolicyError: it is none, at the place that says so.
        """
        try:
            return policy_of(self.json, source=self.source)
        except PolicyError as error:
            # In an envelope the policy is base64: there is no line to point at.
            raise locate(error, self.payload, self.source) if self.form == "compiled" else error from None

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the exact bytes."""
        return digest(self.payload)

    @property
    def claimed_org(self) -> str:
        """The organisation that it says it is of: good for choosing a root, and for nothing else."""
        org = self.json.get("org_id") if isinstance(self.json, dict) else None
        return org if isinstance(org, str) else ""


def load_policy(path: str) -> Document:
    """Read a policy in either form.

    Raises:
        FileError: it cannot be read.
        WireError: it is not strict JSON.
        EnvelopeError: it is an envelope of something else, or malformed.
    """
    data, source = read(path), name_of(path)
    # An envelope is larger than the policy in it; either has its own limit, checked where it is read.
    document = strict_json(data, max_bytes=len(data), source=source)
    if isinstance(document, dict) and "payloadType" in document:
        return _unpacked(data, source)
    found = Document("compiled", source, data)
    if len(data) <= MAX_BYTES:
        found.json = document
    return found


def _unpacked(data: bytes, source: str) -> Document:
    from tappass_host.policy.trust.dsse import PAYLOAD_TYPES, parse_envelope

    envelope = parse_envelope(data, source=source)
    if envelope.payload_type != PAYLOAD_TYPES["policy"]:
        raise EnvelopeError("holds no policy", pointer="/payloadType", source=source)
    return Document("envelope", source, envelope.payload, data)


def title(policy: Policy) -> str:
    """`acme/checkout/coder v3`."""
    names = [name for name in (policy.org_id, policy.project_id, policy.agent_id) if name]
    return f"{'/'.join(names)} v{policy.version}"


def describe(document: Document) -> dict[str, object]:
    """What every JSON answer says of the policy that it is about."""
    policy = document.policy
    return {
        "source": document.source,
        "form": document.form,
        "digest": document.digest,
        "org_id": policy.org_id,
        "project_id": policy.project_id,
        "agent_id": policy.agent_id,
        "version": policy.version,
        "expires_at": policy.expires_at,
    }
