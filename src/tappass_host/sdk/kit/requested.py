"""What `pytest --tappass-provider MODULE` collects: the conformance class of each requested package.

A package may hold a module `conformance` with `SETTINGS`, a `Settings`; without one the defaults hold.
"""

from importlib import import_module
from importlib.util import find_spec

from tappass_host.sdk.kit.plugin import REQUESTED
from tappass_host.sdk.kit.subject import Settings
from tappass_host.sdk.kit.suite import Conformance, conformance


def _declared(package: str) -> Settings:
    if find_spec(f"{package}.conformance") is None:
        return Settings()
    settings: Settings = import_module(f"{package}.conformance").SETTINGS
    return settings


def _class(package: str, examples: int) -> type[Conformance]:
    declared = _declared(package)._asdict()
    if examples:
        declared["examples"] = examples
    return conformance(f"{package}.provider", f"{package}.reader", **declared)


for _package in REQUESTED.packages:
    _name = "".join(part.title() for part in _package.replace("_", ".").split("."))
    globals()[f"Test{_name}"] = _class(_package, REQUESTED.examples)
