"""What the conformance kit examines: alone, around a program with the proxy, and opened up."""

from typing import Final

from tappass_host.providers.kernel.bubblewrap.provider import INFO, BubblewrapOptions
from tappass_host.sdk.artifacts import Endpoint, Launch
from tappass_host.sdk.contract import Inner, Need
from tappass_host.sdk.kit.subject import Settings
from tappass_host.sdk.kit.targets import target_of

_PROXY: Final = {"egress-proxy": Endpoint(id="egress-proxy", unix="/run/tappass/a/egress.sock")}
_PROGRAM: Final = Inner(
    use="agent",
    launch=Launch(program="agent", env={"LANG": "C.UTF-8"}),
    needs=(Need("env", "HOME=/home/u", "keeps its state there"),),
)
_OPENED: Final = BubblewrapOptions(private_tmp=False, unix_sockets=True, hand_over_secrets=True)

SETTINGS: Final = Settings(
    capabilities=(
        target_of(INFO, {}),
        target_of(INFO, {"offers": _PROXY, "inner": (_PROGRAM,)}),
        target_of(INFO, {"offers": _PROXY, "options": _OPENED}),
    ),
    # Under an open network it cannot tell hosts, addresses and protocols apart; and where one unix socket is
    # granted, or all are, those in granted folders can be reached as well.
    looser=135,
    stricter=351,
)
