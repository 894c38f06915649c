"""The pytest plugin of the kit: two options, and nothing imported or changed unless they are used."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the kit's options."""
    group = parser.getgroup("tappass", "tappass provider conformance")
    group.addoption(
        "--tappass-provider",
        action="append",
        default=[],
        metavar="MODULE",
        help="run the conformance kit on a provider package, e.g. my_pkg.my_provider (repeatable)",
    )
    group.addoption(
        "--update-golden",
        action="store_true",
        default=False,
        help="write expected/ and coverage.json of golden cases instead of comparing them",
    )
