"""From documents to bytes: one equal-shaped module per codec, loaded when it is first needed."""

from tappass_host.sdk.emit.dispatch import emit
from tappass_host.sdk.emit.values import Reference, Resolve, symbolic

__all__ = ["Reference", "Resolve", "emit", "symbolic"]
