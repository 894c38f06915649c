"""The conformance kit: what a provider package runs against itself, in or out of this tree, with one line.

    from tappass_host.sdk.kit import conformance
    TestMyProvider = conformance("my_pkg.provider", "my_pkg.reader")

or `pytest --tappass-provider my_pkg`. Needs the extra `tappass-host[kit]`.
"""

from typing import Any


def conformance(provider: str, reader: str, **declared: Any) -> type:
    """The test class of a provider; see `tappass_host.sdk.kit.suite.conformance`."""
    # Imported when used: pytest loads this package for its plugin in every run, hypothesis or not.
    from tappass_host.sdk.kit import suite

    return suite.conformance(provider, reader, **declared)


def golden(package: str, folder: Any) -> type:
    """The test class of a folder of golden cases; see `tappass_host.sdk.kit.golden.golden`."""
    from tappass_host.sdk.kit.golden import golden as make

    return make(package, folder)
