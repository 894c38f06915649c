"""What the kit examines: the service with its defaults, with people to ask, and as a silent one."""

from typing import Final

from tappass_host.providers.host.decision_service.provider import INFO, DecisionOptions
from tappass_host.sdk.kit.subject import Settings
from tappass_host.sdk.kit.targets import target_of

SETTINGS: Final = Settings(
    capabilities=(
        target_of(INFO, {}),
        target_of(INFO, {"options": DecisionOptions(sandbox="checkout", uids=(1000,), approvals="admin")}),
        target_of(INFO, {"options": DecisionOptions(answer="pass", files="host", witness="/mnt/witness")}),
    ),
    # Where nobody can be asked, an ask is denied, and said to be.
    stricter=56,
)
