"""What the conformance kit examines: a host that knows the variables that code may be given."""

from typing import Final

from tappass_host.providers.interpreter.monty.provider import INFO
from tappass_host.sdk.kit.subject import Settings
from tappass_host.sdk.kit.targets import target_of

SETTINGS: Final = Settings(
    capabilities=(target_of(INFO, {"facts": {"env:TZ": "UTC", "env:PATH": "/usr/bin"}}),),
    # Only folders that are listed are shown, and none that holds something denied; most policies have no
    # function that fetches, so that code reaches no host.
    stricter=166,
)
