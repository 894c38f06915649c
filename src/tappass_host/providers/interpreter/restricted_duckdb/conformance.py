"""What the conformance kit counts."""

from typing import Final

from tappass_host.sdk.kit.subject import Settings

# It has no files, no network, no environment and no functions of the host, whatever is granted.
SETTINGS: Final = Settings(stricter=191)
