"""`sandbox.yaml`: which policy files, for whom, on which Runtimes, with which parameters.

    policies: [org.yaml, project.yaml, agent.yaml]
    runtimes: [runtime.yaml]
    audience: {sandbox_id: checkout-coder}
    params: {workspace: /srv/checkout}
    expires_in: 90d

Paths are relative to the file. `params` are bound where the policy is used and do not become part of it.
"""

from typing import Final, Literal

from msgspec import Struct

from tappass_host.policy.decode import convert
from tappass_host.policy.errors import PolicyError, SchemaError
from tappass_host.policy.marked import Marked, parse_yaml
from tappass_host.policy.model import Audience, Name, Text, Texts

SCHEMA: Final = "tappass.sandbox/v1"


class Sandbox(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sandbox, or a class of them.

    Attributes:
        policies: authored levels, in any order.
        runtimes: recipes that the policy is for; hosts refuse any other.
        params: values for the policy's parameters on this host.
        expires_in: how long a compiled policy lasts, as a span: `90d`.
        catalogue: a newer catalogue of domain categories than the shipped one.
    """

    schema: Literal["tappass.sandbox/v1"] = SCHEMA
    policies: Texts
    runtimes: Texts = ()
    audience: Audience = Audience()
    params: dict[Name, Text] = {}
    expires_in: Text = "90d"
    catalogue: Text = ""


def parse_sandbox(data: bytes, *, source: str) -> Sandbox:
    """Read a sandbox file.

    Raises:
        PolicyError: with `file:line:col` of what is wrong.
    """
    marked = parse_yaml(data, source=source)
    try:
        sandbox = convert(marked.value, Sandbox)
    except SchemaError as error:
        place = marked.at(_path(error.pointer))
        raise SchemaError(error.message, pointer=error.pointer, source=place, remedy=error.remedy) from None
    if not sandbox.policies:
        raise PolicyError(
            "names no policy", source=marked.at(("policies",)), remedy="list at least an org level"
        )
    return sandbox


def is_sandbox(marked: Marked) -> bool:
    """True if a YAML document is meant to be a sandbox file, right or wrong."""
    return isinstance(marked.value, dict) and "policies" in marked.value and "level" not in marked.value


def _path(pointer: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdigit() else part for part in pointer.split("/")[1:])
