"""The pytest plugin of the kit: three options, and nothing imported or changed unless they are used."""

from pathlib import Path
from typing import Final

import pytest


class _Requested:
    """What the command line asked for; read by `requested.py` when pytest collects it."""

    def __init__(self) -> None:
        self.packages: list[str] = []
        self.examples = 0


REQUESTED: Final = _Requested()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the kit's options."""
    group = parser.getgroup("tappass", "tappass provider conformance")
    group.addoption(
        "--tappass-provider",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="run the conformance kit on a provider package, e.g. my_pkg.my_provider (repeatable)",
    )
    group.addoption(
        "--tappass-examples",
        type=int,
        default=0,
        metavar="N",
        help="with --tappass-provider: examples per generated test; above the default, random ones",
    )
    group.addoption(
        "--update-golden",
        action="store_true",
        default=False,
        help="write expected/ and coverage.json of golden cases instead of comparing them",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect the kit's own module for requested providers, in place of what is collected by default."""
    REQUESTED.packages = list(config.getoption("--tappass-provider"))
    REQUESTED.examples = config.getoption("--tappass-examples")
    if not REQUESTED.packages:
        return
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args.clear()
    config.args.append(str(Path(__file__).with_name("requested.py")))
