"""Which providers exist: built-in ones, plugins, and the ways in which a plugin is broken."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from tappass_host import registry
from tappass_host.policy.errors import ProviderError
from tappass_host.registry.builtin import ALIASES, BUILTIN, RESERVED, package_of


def entry(provider_id, source=None):
    found = [e for e in registry.all() if e.id == provider_id and source in (None, e.source)]
    assert len(found) == 1
    return found[0]


def test_packages_follow_from_position_and_id():
    assert package_of("llm-gateway-anthropic") == "tappass_host.providers.llm_gateway.llm_gateway_anthropic"
    assert package_of("claude-code") == "tappass_host.providers.harness.claude_code"


def test_no_alias_is_an_id():
    assert not set(BUILTIN) & set(ALIASES)
    assert ALIASES["anthropic-gateway"] == "llm-gateway-anthropic"


def present():
    found = []
    for name in BUILTIN:
        try:
            if find_spec(f"{package_of(name)}.provider"):
                found.append(name)
        except ModuleNotFoundError:
            continue
    return found


@pytest.mark.parametrize("provider_id", present())
def test_getting_one_provider_imports_no_other(provider_id):
    code = f"""
import sys
from tappass_host.registry import get
get({provider_id!r})
mine = {package_of(provider_id)!r}
loaded = [m for m in sys.modules if m.startswith("tappass_host.providers.") and m.count(".") >= 3]
heavy = sorted({{"yaml", "asyncio", "re2", "tree_sitter", "cryptography", "importlib.metadata"}} & set(sys.modules))
print([m for m in loaded if not m.startswith(mine)], mine + ".reader" in loaded, mine + ".target" in loaded, heavy)
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[] False False []\n"


@pytest.mark.parametrize("provider_id", present())
def test_every_built_in_provider_is_what_the_table_says(provider_id):
    info = registry.get(provider_id).info
    assert (info.id, info.position) == (provider_id, BUILTIN[provider_id].position)
    assert info.aliases == BUILTIN[provider_id].aliases


def test_a_plugin(install):
    install("acme-box", "acme_box", aliases=("abox",), files={"reader.py": "LOADED = True\n"})
    provider = registry.get("acme-box")
    assert (provider.id, provider.source) == ("acme-box", "acme-box 2.1")
    assert provider.info.version == "0.3"
    assert provider.reader.LOADED
    assert provider.target is None
    assert registry.get("abox").id == "acme-box"
    assert entry("acme-box") == ("acme-box", "harness", "0.3", "acme-box 2.1", "ok", "")


def test_reader_and_target_load_when_first_used(install):
    install("acme-box", "acme_box", files={"reader.py": "", "target.py": ""})
    provider = registry.get("acme-box")
    assert "acme_box.reader" not in sys.modules
    assert provider.target is not None
    assert "acme_box.reader" not in sys.modules


def test_a_reader_that_cannot_import_is_not_a_missing_one(install):
    install("acme-box", "acme_box", files={"reader.py": "import no_such_module_at_all\n"})
    with pytest.raises(ProviderError, match="no_such_module_at_all"):
        _ = registry.get("acme-box").reader


BROKEN = [
    ("import fails", {"body": "import no_such_module_at_all"}, "ModuleNotFoundError: No module named"),
    ("import raises", {"body": "raise RuntimeError('boom')"}, "RuntimeError: boom"),
    ("syntax", {"body": "def ("}, "SyntaxError"),
    ("no INFO", {"body": "def render(p, t): ..."}, "has no INFO"),
    ("INFO is something else", {"body": "INFO = {'id': 'acme-box'}\ndef render(p, t): ..."}, "has no INFO"),
    ("another id", {"aliases": (), "body": None, "says": "other"}, "says that it is other"),
    ("SDK too new", {"sdk": "1.999"}, "is written for SDK 1.999"),
    ("SDK of another major", {"sdk": "0.1"}, "is written for SDK 0.1"),
    ("SDK is no version", {"sdk": "1.x"}, "names no SDK version"),
    ("claims a built-in alias", {"aliases": ("anthropic-gateway",)}, "alias anthropic-gateway is built in"),
    ("claims a built-in id as alias", {"aliases": ("monty",)}, "alias monty is built in"),
]


@pytest.mark.parametrize(("how", "why"), [c[1:] for c in BROKEN], ids=[c[0] for c in BROKEN])
def test_a_broken_plugin_is_listed_with_the_reason(install, how, why):
    how = dict(how)
    says = how.pop("says", None)
    folder = install("acme-box", "acme_box", **how)
    if says:
        text = (folder / "provider.py").read_text()
        (folder / "provider.py").write_text(text.replace("'acme-box'", repr(says)))
    broken = entry("acme-box")
    assert (broken.status, broken.version, broken.source) == ("broken", "", "acme-box 2.1")
    assert why in broken.reason
    with pytest.raises(ProviderError) as caught:
        registry.get("acme-box")
    assert why in caught.value.message


def test_a_plugin_without_render_is_broken(install):
    folder = install("acme-box", "acme_box")
    text = (folder / "provider.py").read_text()
    (folder / "provider.py").write_text(text.replace("def render", "def rendre"))
    assert "has no render" in entry("acme-box").reason


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_built_in_names_cannot_be_claimed(install, name):
    install(name, "acme_evil", body="raise SystemExit('was imported')")
    refused = entry(name, "acme-evil 2.1")
    assert (refused.status, refused.reason) == ("broken", f"{name} is built in and cannot be claimed")
    assert "acme_evil" not in sys.modules


def test_a_name_claimed_twice_belongs_to_nobody(install):
    install("acme-box", "acme_one")
    install("acme-box", "acme_two")
    assert {(e.source, e.status) for e in registry.all() if e.id == "acme-box"} == {
        ("acme-one 2.1", "broken"),
        ("acme-two 2.1", "broken"),
    }
    with pytest.raises(ProviderError, match="claimed by 2 packages"):
        registry.get("acme-box")
    assert "acme_one" not in sys.modules


def test_an_alias_of_two_plugins_is_ambiguous(install):
    install("acme-one", "acme_one", aliases=("abox",))
    install("acme-two", "acme_two", aliases=("abox",))
    with pytest.raises(ProviderError, match="abox is an alias of several"):
        registry.get("abox")


def test_an_unknown_provider_has_a_remedy():
    with pytest.raises(ProviderError, match="no provider no-such") as caught:
        registry.get("no-such")
    assert "provider list" in caught.value.remedy


def test_known_plugins_are_not_scanned_for_a_built_in_one():
    code = """
import sys
from tappass_host.policy.errors import ProviderError
from tappass_host.registry import get
try:
    get("monty")
except ProviderError:
    pass
print("importlib.metadata" in sys.modules)
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
