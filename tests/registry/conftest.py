import importlib
import sys
from textwrap import dedent

import pytest

PROVIDER = """
from tappass_host.sdk.contract import ProviderInfo, TargetConfig

INFO = ProviderInfo(id={id!r}, position="harness", target="toy", version="0.3", sdk={sdk!r}, aliases={aliases!r})

def render(policy, target):
    return TargetConfig()
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install provider packages for real: importable files, with metadata that declares the entry point."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def add(provider_id, package, *, body=None, sdk="1.0", aliases=(), files=(), dist=None):
        folder = tmp_path.joinpath(*package.split("."))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
        text = PROVIDER.format(id=provider_id, sdk=sdk, aliases=aliases) if body is None else dedent(body)
        (folder / "provider.py").write_text(text)
        for name, content in dict(files).items():
            (folder / name).write_text(content)
        _metadata(tmp_path, dist or package.replace("_", "-"), provider_id, package)
        importlib.invalidate_caches()
        return folder

    yield add
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {path.name for path in tmp_path.iterdir()}:
            del sys.modules[name]


def _metadata(root, dist, provider_id, package):
    info = root / f"{dist.replace('-', '_')}-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text(f"[tappass.providers]\n{provider_id} = {package}\n")
