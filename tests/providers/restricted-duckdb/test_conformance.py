"""Gate 1 for restricted-duckdb."""

from tappass_host.sdk.kit import conformance

TestConformance = conformance(
    "tappass_host.providers.interpreter.restricted_duckdb.provider",
    "tappass_host.providers.interpreter.restricted_duckdb.reader",
    # It has no files, no network, no environment and no functions of the host, whatever is granted.
    stricter=191,
)
