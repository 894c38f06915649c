"""Every error a user can meet: typed, with the place and the remedy.

`exit_code` follows the CLI: 1 findings, 2 usage or bad input, 3 trust refusal,
4 required target or service missing, 5 internal.
"""

from typing import ClassVar


class TappassError(Exception):
    """Base of all errors that are not bugs.

    Args:
        message: what is wrong, one sentence, no trailing full stop.
        pointer: RFC 6901 JSON Pointer into the document at fault.
        source: `file` or `file:line:col` of the text at fault.
        remedy: what the reader can do about it.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, pointer: str = "", source: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer
        self.source = source
        self.remedy = remedy

    def at(self, *, pointer: str = "", source: str = "") -> "TappassError":
        """Fill in a place that only an outer caller knows; the innermost place wins."""
        self.pointer = self.pointer or pointer
        self.source = self.source or source
        return self

    def __str__(self) -> str:
        place = " ".join(p for p in (self.source, self.pointer) if p)
        return f"{place}: {self.message}" if place else self.message


class PolicyError(TappassError):
    """A policy document is not acceptable."""


class WireError(PolicyError):
    """The bytes are not strict JSON: size, UTF-8, depth, duplicate key, float, syntax."""


class SchemaError(PolicyError):
    """Unknown field, missing field or wrong type."""


class GrammarError(PolicyError):
    """A string does not follow the grammar of its field."""


class CascadeViolationError(PolicyError):
    """A lower level tried to widen what a higher level granted."""


class BindError(PolicyError):
    """A parameter is missing, of the wrong type, or outside its declared bounds."""


class RecipeError(TappassError):
    """A Runtime recipe cannot be used."""


class RenderError(TappassError):
    """A provider was asked for something it must refuse."""


class UnsatisfiableError(TappassError):
    """A need collides with a restriction, or `on_gap: refuse` fired."""


class ProviderError(TappassError):
    """A provider is unknown, broken, locked to another digest, or breaks the contract."""


class MissingTargetError(TappassError):
    """A required target or service is not on this machine."""

    exit_code = 4


class AuditError(TappassError):
    """The audit log cannot be written or continued; what was to be recorded must not happen."""

    exit_code = 4


class TrustError(TappassError):
    """Verification refused the envelope; nothing was written."""

    exit_code = 3


class EnvelopeError(TrustError):
    """The DSSE envelope is malformed."""


class SignatureError(TrustError):
    """Too few valid signatures by distinct trusted keys."""


class KeyRefusedError(TrustError):
    """A public key is malformed, of small order or not canonical."""


class RollbackError(TrustError):
    """The version is below the floor."""


class EquivocationError(TrustError):
    """The same version was seen with other bytes."""


class RotationError(TrustError):
    """A new root does not directly follow the trusted one."""


class AudienceError(TrustError):
    """The policy is not for this host or sandbox."""


class OrgMismatchError(TrustError):
    """The policy belongs to another organisation."""


class RuntimeDigestError(TrustError):
    """The Runtime is not one the policy lists."""


class ExpiredError(TrustError):
    """`expires_at` has passed."""


class NotYetValidError(TrustError):
    """`not_before` has not come."""


class StaleError(TrustError):
    """The freshness statement is older than the policy allows."""


class CeilingError(TrustError):
    """The policy asks for more than the device ceiling allows."""
