"""Gate 1 for openshell."""

from tappass_host.sdk.kit import conformance

TestConformance = conformance(
    "tappass_host.providers.kernel.openshell.provider",
    "tappass_host.providers.kernel.openshell.reader",
    # What every sandbox opens by itself, and unix sockets.
    looser=145,
    # Folders and names that hold something denied are not granted, and nothing can be opened at large.
    stricter=697,
)
