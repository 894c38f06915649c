"""Golden cases: short input, every byte and claim of the output."""

import json

import pytest
from msgspec import ValidationError

from tappass_host.policy.errors import SchemaError
from tappass_host.sdk.kit.golden import case_folders, check_case, golden

PROVIDER = """
    from tappass_host.sdk.builder import Builder
    from tappass_host.sdk.claims import Evidence, Item, Reach
    from tappass_host.sdk.contract import Options, ProviderInfo

    class ToyOptions(Options, frozen=True, kw_only=True):
        loud: bool = False

    INFO = ProviderInfo(id="toy", position="kernel", target="toy", version="1", sdk="1.0", options=ToyOptions)
    PLACE = Reach("place", ("exec",), "compulsory", Evidence("https://toy.example/", "2026-11-01"))

    def render(policy, target):
        b = Builder(INFO, policy, target)
        doc = b.doc("conf", root="etc", path="toy/conf.json")
        doc.set("/loud", target.options.loud, by="an option")
        doc.set("/kind", str(b.ask("path_kind", "/ws")), by="a fact")
        items = [Item("deny", s, (s,)) for s in policy.ids("filesystem.deny_paths")]
        for item in b.lower(items, at=PLACE):
            doc.add("/deny", item.value, by=item)
        return b.build()
"""
POLICY = {"filesystem": {"default": "deny", "deny_paths": ["/ws/secret"]}}


@pytest.fixture
def toy(package):
    return package("toy_golden", provider=PROVIDER)


def test_update_then_compare(toy, case):
    folder = case("one", POLICY, {"options": {"loud": True}, "world": True})
    with pytest.raises(AssertionError, match=r"\+  \"loud\": true"):
        check_case(toy, folder, update=False)
    check_case(toy, folder, update=True)
    check_case(toy, folder, update=False)
    expected = json.loads((folder / "expected/etc/toy/conf.json").read_bytes())
    assert expected == {"loud": True, "kind": "dir", "deny": ["filesystem.deny_paths[/ws/secret]"]}
    claims = json.loads((folder / "coverage.json").read_bytes())["claims"]
    assert claims["filesystem.deny_paths[/ws/secret]"] == [
        {
            "at": "place",
            "verdict": "enforced",
            "locators": ["conf#/deny[filesystem.deny_paths[/ws/secret]]"],
        }
    ]


def test_without_the_world_a_question_stays_open(toy, case):
    folder = case("open", POLICY)
    check_case(toy, folder, update=True)
    assert json.loads((folder / "coverage.json").read_bytes())["asked"] == ["path_kind:/ws"]


DIFFERENCES = [
    ("a byte", lambda f: (f / "expected/etc/toy/conf.json").write_text("{}\n"), "rendered etc/toy/conf.json"),
    ("a file too few", lambda f: (f / "expected/etc/toy/conf.json").unlink(), "rendered etc/toy/conf.json"),
    ("a file too many", lambda f: (f / "expected/etc/old").write_text("x\n"), "expected etc/old"),
    ("a claim", lambda f: (f / "coverage.json").write_text("{}\n"), "coverage.json"),
    ("no claims", lambda f: (f / "coverage.json").unlink(), "coverage.json"),
]


@pytest.mark.parametrize(("break_it", "shown"), [c[1:] for c in DIFFERENCES], ids=[c[0] for c in DIFFERENCES])
def test_a_difference_is_shown(toy, case, break_it, shown):
    folder = case("one", POLICY)
    check_case(toy, folder, update=True)
    break_it(folder)
    with pytest.raises(AssertionError, match=shown):
        check_case(toy, folder, update=False)


def test_a_bad_case_is_refused(toy, case):
    with pytest.raises(SchemaError):
        check_case(toy, case("typo", {"filesytem": {}}), update=False)
    with pytest.raises(ValidationError, match="unknown fields"):
        check_case(toy, case("typo2", POLICY, {"versoin": "1"}), update=False)


def test_one_line_makes_the_test_class(toy, case):
    folder = case("one", POLICY)
    case("two", {})
    made = golden(toy, folder.parent)
    assert [c.name for c in made.test_case.pytestmark[0].args[1]] == ["one", "two"]
    assert case_folders(folder.parent / "none") == []
