"""Strict YAML: places, plain words, and everything that two readers could read differently."""

import pytest

from tappass_host.policy.errors import PolicyError
from tappass_host.policy.marked import parse_yaml


def read(text, **limits):
    return parse_yaml(text if isinstance(text, bytes) else text.encode(), source="f.yaml", **limits)


def test_values_and_places():
    marked = read("a: off\nb: [1, ~, {c: d}]\nc:\n  - x: -7\n    y: 'true'\n  - true\n  - null\n  - \n")
    assert marked.value == {
        "a": "off",
        "b": [1, "~", {"c": "d"}],
        "c": [{"x": -7, "y": "true"}, True, None, None],
    }
    assert marked.at(("b", 2, "c")) == "f.yaml:2:15"
    assert marked.at(("c", 0, "y")) == "f.yaml:5:8"
    assert marked.at(("c", 0, "nope")) == "f.yaml:4:5"
    assert marked.key_at(("c",)) == "f.yaml:3:1"


@pytest.mark.parametrize(
    "word", ["yes", "no", "on", "off", "y", "n", "~", "<<", "TRUE", "2026-01-01", "1:30", "0.1.2", "."]
)
def test_words_that_other_readers_change_stay_text(word):
    assert read(f"a: {word}").value == {"a": word}


REFUSED = {
    "duplicate key": ("a: 1\nb: 2\na: 3", "duplicate key 'a'", "f.yaml:3:1"),
    "duplicate key deep down": ("a:\n  - {b: 1, b: 2}", "duplicate key 'b'", "f.yaml:2:12"),
    "anchor": ("a: &x 1", "an anchor (&x)", "f.yaml:1:4"),
    "anchor on a list": ("a: &x [1]", "an anchor (&x)", "f.yaml:1:4"),
    "alias": ("a: *x", "an alias (*x)", "f.yaml:1:4"),
    "tag": ("a: !!python/object:os.system x", "a tag", "f.yaml:1:4"),
    "tag on a mapping": ("!!map {a: 1}", "a tag", "f.yaml:1:1"),
    "key that is a list": ("[1]: 2", "a key must be plain text", "f.yaml:1:1"),
    "key that is a mapping": ("{{a: 1}: 2}", "a key must be plain text", "f.yaml:1:2"),
    "second document": ("a: 1\n---\nb: 1", "a second document", "f.yaml:3:1"),
    "nothing": ("# only a comment", "the file is empty", "f.yaml"),
    "open list": ("a: [", "not YAML", "f.yaml:2:1"),
    "unquoted glob": ("a:\n  - **/.env", "not YAML", "f.yaml:2:6"),
    "tab": ("a:\n\t- b", "not YAML", "f.yaml:2:1"),
    "not UTF-8": (b"a: \xff", "not UTF-8", "f.yaml"),
    "control character": ("a: \x07", "not YAML", "f.yaml"),
    "fraction": ("a: 1.5", "not a number that every reader keeps", "f.yaml:1:4"),
    "exponent": ("a: 1e3", "not a number that every reader keeps", "f.yaml:1:4"),
    "octal": ("a: 0o17", "not a number that every reader keeps", "f.yaml:1:4"),
    "old octal": ("a: 017", "not a number that every reader keeps", "f.yaml:1:4"),
    "hexadecimal": ("a: 0x1F", "not a number that every reader keeps", "f.yaml:1:4"),
    "underscores": ("a: 1_000", "not a number that every reader keeps", "f.yaml:1:4"),
    "infinity": ("a: .inf", "not a number that every reader keeps", "f.yaml:1:4"),
    "2^53": ("a: 9007199254740992", "not a number that every reader keeps", "f.yaml:1:4"),
    "a million digits": ("a: " + "9" * 1_000_000, "not a number that every reader keeps", "f.yaml:1:4"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name):
    text, what, source = REFUSED[name]
    with pytest.raises(PolicyError) as caught:
        read(text)
    assert what in caught.value.message
    assert caught.value.source == source


def test_a_glob_gets_the_remedy_to_quote_it():
    with pytest.raises(PolicyError) as caught:
        read("a: **/.env")
    assert "quotes" in caught.value.remedy


def test_size_and_depth_are_limits():
    with pytest.raises(PolicyError, match="11 bytes, the limit is 10"):
        read("a: 12345678", max_bytes=10)
    assert read("[[1]]", max_depth=2).value == [[1]]
    with pytest.raises(PolicyError, match="nested deeper than 2"):
        read("[[[1]]]", max_depth=2)
    with pytest.raises(PolicyError, match="nested deeper than 24"):
        read("[" * 100_000)


def test_both_parsers_give_the_same(monkeypatch):
    import yaml

    text = "a: [1, {b: 'c'}]\nd: |\n  text\n"
    fast = read(text)
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert read(text) == fast
