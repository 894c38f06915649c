"""Gate 1 for claude-code."""

from tappass_host.providers.harness.claude_code.conformance import SETTINGS
from tappass_host.sdk.kit import conformance

CLAUDE_CODE = "tappass_host.providers.harness.claude_code"
TestConformance = conformance(f"{CLAUDE_CODE}.provider", f"{CLAUDE_CODE}.reader", **SETTINGS._asdict())
