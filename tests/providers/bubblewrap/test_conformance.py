"""Gate 1 for bubblewrap."""

from tappass_host.providers.kernel.bubblewrap.conformance import SETTINGS
from tappass_host.sdk.kit import conformance

BUBBLEWRAP = "tappass_host.providers.kernel.bubblewrap"
TestConformance = conformance(f"{BUBBLEWRAP}.provider", f"{BUBBLEWRAP}.reader", **SETTINGS._asdict())
