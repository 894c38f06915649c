"""What several areas share: `async def` tests, and the laboratory of the egress proxy."""

import asyncio
import importlib.util
import inspect
import os
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

# The suite gives the same answer twice; `TAPPASS_EXPLORE=1` looks for new examples.
settings.register_profile("steady", derandomize=True, deadline=None)
if not os.environ.get("TAPPASS_EXPLORE"):
    settings.load_profile("steady")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run `async def` tests, each in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    asyncio.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(scope="session")
def egress() -> ModuleType:
    """The module `egress_lab`: Lab, config, client_hello, records, self_signed, closed."""
    if "egress_lab" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "egress_lab", Path(__file__).parent / "dataplane" / "egress_lab.py"
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules["egress_lab"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["egress_lab"])
    return sys.modules["egress_lab"]


@pytest.fixture(scope="session")
def tls(
    egress: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server and of a client that trusts it."""
    contexts: tuple[ssl.SSLContext, ssl.SSLContext] = egress.self_signed(
        tmp_path_factory.mktemp("tls"), "good.test", "a.example.com"
    )
    return contexts


@pytest.fixture(scope="session")
def decision_lab() -> ModuleType:
    """The module `decision_lab`: Lab."""
    if "decision_lab" not in sys.modules:
        path = Path(__file__).parent / "decision" / "decision_lab.py"
        spec = importlib.util.spec_from_file_location("decision_lab", path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["decision_lab"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["decision_lab"])
    return sys.modules["decision_lab"]


@pytest.fixture
def lab(decision_lab: ModuleType, tmp_path: Path) -> Iterator[Any]:
    """Makes decision services in this test's folder, and ends them."""
    made = []

    def make(**changes: Any) -> Any:
        made.append(decision_lab.Lab(tmp_path, **changes))
        return made[-1].start()

    yield make
    for one in made:
        one.stop()
