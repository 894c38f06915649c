"""Gate 1 for decision-service."""

from tappass_host.providers.host.decision_service.conformance import SETTINGS
from tappass_host.sdk.kit import conformance

DECISION = "tappass_host.providers.host.decision_service"
TestConformance = conformance(f"{DECISION}.provider", f"{DECISION}.reader", **SETTINGS._asdict())
