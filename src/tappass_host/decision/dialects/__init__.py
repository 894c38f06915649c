"""How each harness asks and what it wants to hear: one module a dialect, all of one shape.

read(payload, policy) -> Call        the harness's message, in the policy's words
allowed(reason, explicit=…) -> text  what the harness reads on an allow
denied(reason) -> text               what it shows on a denial
"""

from types import ModuleType
from typing import Final

from tappass_host.decision.dialects import claude_code

DIALECTS: Final[dict[str, ModuleType]] = {"claude-code": claude_code}
