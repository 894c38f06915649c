"""Gate 1 for slack-bot."""

from tappass_host.providers.harness.slack_bot.provider import INFO
from tappass_host.sdk.kit import conformance
from tappass_host.sdk.kit.targets import target_of

PACKAGE = "tappass_host.providers.harness.slack_bot"
TARGETS = tuple(
    target_of(INFO, {"options": options}) for options in ({}, {"install": "app", "approval_channel": "C01"})
)
# Without a channel to ask in, what would be asked is denied, and said to be.
TestConformance = conformance(f"{PACKAGE}.provider", f"{PACKAGE}.reader", capabilities=TARGETS, stricter=24)
