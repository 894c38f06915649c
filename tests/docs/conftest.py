"""The runner of pages, for tests of this folder and of others."""

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def snippets():
    """The module `snippets`: blocks, run_page, Session."""
    if "snippets" not in sys.modules:
        path = Path(__file__).with_name("snippets.py")
        spec = importlib.util.spec_from_file_location("snippets", path)
        sys.modules["snippets"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["snippets"])
    return sys.modules["snippets"]
