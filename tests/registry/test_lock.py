"""`providers.lock`: what was agreed to is what runs."""

import sys

import pytest

from tappass_host import registry
from tappass_host.policy.errors import ProviderError, SchemaError, WireError
from tappass_host.registry.digest import package_digest
from tappass_host.registry.lock import Lock, Locked, lock_of, read_lock, write_lock


@pytest.fixture
def folder(install):
    return install(
        "acme-box", "acme_box", aliases=("abox",), files={"reader.py": "X = 1\n", "data.json": "{}"}
    )


@pytest.fixture
def lock(folder):
    return lock_of("acme", [registry.get("acme-box")])


def forget():
    for name in [n for n in sys.modules if n.startswith("acme_box")]:
        del sys.modules[name]


def test_round_trip(tmp_path, lock):
    path = tmp_path / "providers.lock"
    write_lock(path, lock)
    assert read_lock(path) == lock
    assert sorted(p.name for p in tmp_path.iterdir() if "lock" in p.name) == ["providers.lock"]
    assert lock.providers["acme-box"].version == "0.3"
    assert lock.providers["acme-box"].digest == package_digest("acme_box")


def test_the_locked_provider_loads_by_id_and_alias(lock):
    assert registry.get("acme-box", lock=lock).id == "acme-box"
    assert registry.get("abox", lock=lock).id == "acme-box"


def _shift(folder):
    (folder / "data.json").write_text("{")
    (folder / "provider.py").write_text("}" + (folder / "provider.py").read_text())


CHANGES = [
    ("a file changed", lambda f: (f / "reader.py").write_text("X = 2\n")),
    ("a file came", lambda f: (f / "more.py").write_text("")),
    ("a data file changed", lambda f: (f / "data.json").write_text("[]")),
    ("a file went", lambda f: (f / "reader.py").unlink()),
    ("a file was renamed", lambda f: (f / "reader.py").rename(f / "readers.py")),
    ("content moved over a boundary", _shift),
]


@pytest.mark.parametrize("change", [c[1] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_changed_package_is_refused_and_not_run(folder, lock, change):
    change(folder)
    forget()
    for name in ("acme-box", "abox"):
        with pytest.raises(ProviderError):
            registry.get(name, lock=lock)
    assert "acme_box.provider" not in sys.modules


def test_mismatch_names_both_digests(folder, lock):
    (folder / "reader.py").write_text("X = 2\n")
    with pytest.raises(ProviderError, match=r"is sha256:\w+, locked is sha256:") as caught:
        registry.get("acme-box", lock=lock)
    assert "tappass provider lock" in caught.value.remedy


def test_compiled_caches_do_not_count(folder, lock):
    cache = folder / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "x.pyc").write_bytes(b"0")
    assert registry.get("acme-box", lock=lock)


def test_another_version_is_refused(lock):
    other = Lock(
        org_id="acme",
        providers={"acme-box": Locked(version="9", digest=lock.providers["acme-box"].digest)},
    )
    with pytest.raises(ProviderError, match=r"is version 0\.3, locked is 9"):
        registry.get("acme-box", lock=other)


def test_what_is_not_in_the_lock_is_refused(folder):
    with pytest.raises(ProviderError, match="not in the lock of acme"):
        registry.get("acme-box", lock=Lock(org_id="acme", providers={}))
    assert "acme_box.provider" not in sys.modules


def test_a_link_in_a_package_is_refused(folder, tmp_path):
    outside = tmp_path / "outside.py"
    outside.touch()
    (folder / "linked.py").symlink_to(outside)
    with pytest.raises(ProviderError, match=r"linked\.py of a provider package is not a plain file"):
        package_digest("acme_box")


def test_a_package_that_is_not_there():
    with pytest.raises(ProviderError, match="not on this machine"):
        package_digest("no_such_package_here.at_all")


BAD = [
    ("not JSON", b"{", WireError),
    ("twice the same provider", b'{"org_id":"a","providers":{"x":1,"x":2}}', WireError),
    ("another schema", b'{"schema":"v2","org_id":"a","providers":{}}', SchemaError),
    ("unknown field", b'{"org_id":"a","providers":{},"extra":1}', SchemaError),
    ("no digest", b'{"org_id":"a","providers":{"x":{"version":"1","digest":"md5:00"}}}', SchemaError),
]


@pytest.mark.parametrize(("data", "error"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_a_bad_lock_is_refused(tmp_path, data, error):
    path = tmp_path / "providers.lock"
    path.write_bytes(data)
    with pytest.raises(error):
        read_lock(path)


def test_a_missing_lock_says_where(tmp_path):
    with pytest.raises(ProviderError, match=r"providers\.lock"):
        read_lock(tmp_path / "providers.lock")
