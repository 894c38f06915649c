"""Gate 1 for llm-gateway-anthropic."""

from tappass_host.sdk.kit import conformance

PACKAGE = "tappass_host.providers.llm_gateway.llm_gateway_anthropic"
TestConformance = conformance(f"{PACKAGE}.provider", f"{PACKAGE}.reader")
