"""Gate 1 for monty."""

from tappass_host.providers.interpreter.monty.conformance import SETTINGS
from tappass_host.sdk.kit import conformance

MONTY = "tappass_host.providers.interpreter.monty"
TestConformance = conformance(f"{MONTY}.provider", f"{MONTY}.reader", **SETTINGS._asdict())
