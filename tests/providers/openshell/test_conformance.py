"""Gate 1 for openshell."""

from tappass_host.providers.kernel.openshell.conformance import SETTINGS
from tappass_host.sdk.kit import conformance

PACKAGE = "tappass_host.providers.kernel.openshell"
TestConformance = conformance(f"{PACKAGE}.provider", f"{PACKAGE}.reader", **SETTINGS._asdict())
