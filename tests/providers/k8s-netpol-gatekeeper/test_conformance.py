"""Gate 1 for k8s-netpol-gatekeeper."""

from tappass_host.providers.kernel.k8s_netpol_gatekeeper.conformance import SETTINGS
from tappass_host.sdk.kit import conformance

PACKAGE = "tappass_host.providers.kernel.k8s_netpol_gatekeeper"
TestConformance = conformance(f"{PACKAGE}.provider", f"{PACKAGE}.reader", **SETTINGS._asdict())
