"""Gate 1 for egress-proxy."""

from tappass_host.providers.host.egress_proxy.conformance import SETTINGS
from tappass_host.sdk.kit import conformance

EGRESS = "tappass_host.providers.host.egress_proxy"
TestConformance = conformance(f"{EGRESS}.provider", f"{EGRESS}.reader", **SETTINGS._asdict())
