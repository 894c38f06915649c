"""`emit(artifact, resolve)`: the one way from an artifact to its bytes. Pure and deterministic.

A codec module has one function, `dump(doc) -> bytes`, over plain values. Formats with a grammar go through a
real serializer; those without one (`lines`, `env`, `argv`) refuse any value that holds their separator.
"""

from importlib import import_module
from typing import get_args

from tappass_host.policy.errors import RenderError
from tappass_host.sdk.artifacts import Artifact, Codec
from tappass_host.sdk.emit.values import Resolve, plain


def emit(artifact: Artifact, resolve: Resolve) -> bytes:
    """The bytes of an artifact.

    Args:
        artifact: what a provider rendered.
        resolve: the text that a SecretRef, ArtifactPath or Endpoint stands for here.

    Raises:
        RenderError: the document does not fit its codec, or a value could be read as more than one value.
    """
    if artifact.codec not in get_args(Codec):
        raise RenderError(f"no codec {artifact.codec!r}", source=artifact.id)
    codec = import_module(f"tappass_host.sdk.emit.{artifact.codec}_codec")
    try:
        return bytes(codec.dump(plain(artifact.doc, resolve)))
    except RenderError as error:
        raise error.at(source=artifact.id) from None
