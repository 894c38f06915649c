"""What one run of code comes back as: one JSON object, whatever happened."""

from typing import Any

import msgspec
from msgspec import Struct

from tappass_host.policy import errors
from tappass_host.policy.errors import TappassError
from tappass_host.runners.engines import Status

EXIT_CRASHED = 5


class ErrorInfo(Struct, frozen=True):
    """Type and message, as the code saw it or as the runner refused it."""

    type: str
    message: str


class Call(Struct, frozen=True):
    """One thing the code asked of the trusted side.

    `verdict` is `observe` where the policy only observes and would have denied. `args_digest` is the SHA-256
    of the arguments as sorted JSON: an audit can compare them and shows no content.
    """

    name: str
    args_digest: str
    verdict: str
    reason: str = ""


class Usage(Struct, frozen=True):
    """As the kernel counted it for the child and the processes it reaped; wall time by the runner's clock."""

    wall_ms: int = 0
    cpu_ms: int = 0
    peak_rss_kb: int = 0


class PolicyUsed(Struct, frozen=True):
    """Which policy the run was under; empty where no manifest could be read."""

    digest: str = ""
    version: int = 0


class TargetUsed(Struct, frozen=True):
    """Which engine ran, in which version; empty where none was started."""

    id: str = ""
    version: str = ""


class Result(Struct, frozen=True):
    """The whole answer. `ran` says whether any of the code was executed."""

    status: Status
    ran: bool = False
    result: Any = None
    stdout: str = ""
    error: ErrorInfo | None = None
    calls: tuple[Call, ...] = ()
    calls_dropped: int = 0
    usage: Usage = Usage()
    policy: PolicyUsed = PolicyUsed()
    target: TargetUsed = TargetUsed()

    def to_json(self) -> bytes:
        """Write the one JSON object."""
        return msgspec.json.encode(self)

    @property
    def exit_code(self) -> int:
        """The exit code of the CLI: 0 whenever the code was judged or ran, whatever it did."""
        if self.status == "crashed":
            return EXIT_CRASHED
        kind = getattr(errors, self.error.type, None) if self.error and not self.ran else None
        if isinstance(kind, type) and issubclass(kind, TappassError):
            return kind.exit_code
        return 0


def refusal(error: TappassError, *, policy: PolicyUsed, target: TargetUsed) -> Result:
    """Turn a typed error into the result of a run that did not happen."""
    text = f"{error}; {error.remedy}" if error.remedy else str(error)
    return Result("denied", error=ErrorInfo(type(error).__name__, text), policy=policy, target=target)
