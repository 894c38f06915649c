"""What the conformance kit examines: alone, inside a kernel ring, the user's own settings, a drop-in."""

from typing import Final

from tappass_host.providers.harness.claude_code.info import INFO, ClaudeCodeOptions
from tappass_host.sdk.kit.subject import Settings
from tappass_host.sdk.kit.targets import target_of

_DROP_IN: Final = ClaudeCodeOptions(drop_in=True, sandbox="off", max_version="any")

SETTINGS: Final = Settings(
    capabilities=(
        target_of(INFO, {}),
        target_of(INFO, {"inside": ["bubblewrap"]}),
        target_of(INFO, {"options": ClaudeCodeOptions(config_tier="user")}),
        target_of(INFO, {"options": _DROP_IN}),
    ),
    # A mode that asks denies nothing, ports are not told apart by WebFetch, and MCP prompts, resources and
    # arguments are not looked at.
    looser=345,
    # Closed over what a shell makes of an allowed command, and over servers that nobody lists.
    stricter=200,
)
