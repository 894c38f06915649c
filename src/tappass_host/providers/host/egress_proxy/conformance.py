"""What the conformance kit examines: the proxy with its defaults, and as somebody set it up."""

from typing import Final

from tappass_host.providers.host.egress_proxy.provider import INFO, EgressOptions
from tappass_host.sdk.kit.subject import Settings
from tappass_host.sdk.kit.targets import target_of

SETTINGS: Final = Settings(
    capabilities=(
        target_of(INFO, {}),
        target_of(INFO, {"options": EgressOptions(sandbox="checkout", uids=(1000,), connections=64)}),
    ),
)
