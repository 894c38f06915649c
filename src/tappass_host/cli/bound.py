"""A policy with its parameters bound, as `decide` and the compiler need it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tappass_host.cli.files import read
from tappass_host.policy.model import Policy
from tappass_host.policy.params import bind


def values_of(params: Sequence[tuple[str, str]], sandbox: str | None) -> dict[str, str]:
    """Parameters from the sandbox file, overridden by those of the command line."""
    given: dict[str, str] = {}
    if sandbox:
        from tappass_host.policy.sandbox import parse_sandbox

        given.update(parse_sandbox(read(sandbox), source=sandbox).params)
    return {**given, **dict(params)}


def values_for(policy: Policy, given: Mapping[str, str]) -> dict[str, str]:
    """What was given; `home` and `workspace` are this person's home and current folder otherwise."""
    param = policy.params.get("workspace")
    wanted = param is not None and param.type == "path" and param.default is None
    usual = {"home": str(Path.home()), **({"workspace": str(Path.cwd())} if wanted else {})}
    return {**usual, **given}


def bind_for_person(policy: Policy, given: Mapping[str, str]) -> Policy:
    """Bind with what was given, and what this person can mean by the rest.

    Raises:
        BindError: a parameter has no value, or one that it may not have.
    """
    return bind(policy, values_for(policy, given))
