"""Options that several verbs share, so that they are called, explained and checked alike."""

from collections.abc import Callable
from typing import Any

import click

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


class PairType(click.ParamType):  # type: ignore[type-arg]  # a class without parameters before click 8.4
    """`name=value`."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split it."""
        if isinstance(value, tuple):
            return value
        name, equals, rest = value.partition("=")
        if not equals or not name:
            self.fail(f"{value!r} is no name=value", param, ctx)
        return name, rest


PAIR = PairType()


def param_option(function: Function) -> Function:
    """`--param name=value`, any number of times."""
    return click.option(
        "--param",
        "params",
        type=PAIR,
        multiple=True,
        metavar="NAME=VALUE",
        help="Value of a policy parameter, e.g. workspace=/srv/ws. Repeat it.",
    )(function)


def key_option(*, required: bool = False) -> Decorator:
    """`--key NAME`, any number of times."""
    return click.option(
        "--key",
        "keys",
        multiple=True,
        required=required,
        metavar="NAME",
        help="Sign with this key: a name, or the path of a PEM file. Repeat it for several.",
        shell_complete=_key_names,
    )


def _key_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from tappass_host.cli.home import key_names

    return [name for name in key_names() if name.startswith(incomplete)]
