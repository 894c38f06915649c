"""What the conformance kit examines: an API server that looks at pods itself, Gatekeeper, and Cilium."""

from typing import Final

from tappass_host.providers.kernel.k8s_netpol_gatekeeper.provider import INFO
from tappass_host.sdk.kit.subject import Settings
from tappass_host.sdk.kit.targets import target_of

SETTINGS: Final = Settings(
    capabilities=(
        target_of(INFO, {}),
        target_of(
            INFO, {"options": {"admission": "gatekeeper", "proxy": {"namespace": "egress"}, "dns": True}}
        ),
        target_of(INFO, {"options": {"cni": "cilium"}}),
    ),
    # What the image holds can be read; loopback, unix sockets and, under an open network, names are open.
    looser=2295,
    # Without Cilium no name is granted here.
    stricter=149,
)
