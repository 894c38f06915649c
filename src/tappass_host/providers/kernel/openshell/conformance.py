"""What the conformance kit examines: both lines of releases, under both names."""

from typing import Final

from tappass_host.providers.kernel.openshell.provider import INFO, VERSIONS
from tappass_host.sdk.kit.subject import Settings
from tappass_host.sdk.kit.targets import target_of

SETTINGS: Final = Settings(
    capabilities=(
        target_of(INFO, {"version": VERSIONS[0]}),
        target_of(INFO, {"version": VERSIONS[1], "options": {"brand": "ryno", "image": "base"}}),
    ),
    # What every sandbox opens by itself, and unix sockets.
    looser=290,
    # Folders and names that hold something denied are not granted, and nothing can be opened at large.
    stricter=1364,
)
