"""Gate 1 for restricted-duckdb."""

from tappass_host.providers.interpreter.restricted_duckdb.conformance import SETTINGS
from tappass_host.sdk.kit import conformance

PACKAGE = "tappass_host.providers.interpreter.restricted_duckdb"
TestConformance = conformance(f"{PACKAGE}.provider", f"{PACKAGE}.reader", **SETTINGS._asdict())
