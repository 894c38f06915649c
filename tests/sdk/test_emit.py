"""Emitters: what is written is what a real reader reads back, and nothing can be smuggled in."""

import json
import re
import subprocess
import sys
import tomllib
from functools import cache

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tappass_host.policy.errors import RenderError
from tappass_host.sdk.artifacts import Artifact, ArtifactPath, Endpoint, Launch, SecretRef
from tappass_host.sdk.emit import emit, symbolic

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
# What breaks naive writers: YAML words and numbers of both dialects, separators, quotes, comments, anchors.
HOSTILE = st.sampled_from(
    [
        *"~={[#'\"\n\0\té",
        "<<",
        "&a",
        "*a",
        "!x",
        "a: b",
        "- a",
        "---",
        "...",
        "%TAG",
        "\r\n",
        "\x85",
        "\u2028",
    ]
) | st.sampled_from(["on", "Yes", "y", "null", "0o14", "1e3", "1_0", "12:30:45", " x "])
WORDS = TEXT | HOSTILE
SCALARS = WORDS | st.booleans() | st.integers(-(2**63), 2**63 - 1)


def documents(scalars, keys=WORDS):
    tree = st.recursive(
        scalars, lambda kids: st.lists(kids, max_size=4) | st.dictionaries(keys, kids, max_size=4)
    )
    return st.dictionaries(keys, tree, max_size=4)


def written(codec, doc):
    return emit(Artifact(id="a", codec=codec, doc=doc), symbolic)


@given(documents(SCALARS | st.none()))
def test_json_round_trip(doc):
    assert json.loads(written("json", doc)) == doc


@given(documents(SCALARS))
def test_toml_round_trip(doc):
    assert tomllib.loads(written("toml", doc).decode()) == doc


@given(documents(SCALARS | st.none()))
def test_yaml_round_trip(doc):
    assert yaml.safe_load(written("yaml", doc)) == doc


@given(documents(SCALARS | st.none()))
def test_yaml_core_schema_1_2_reads_the_same_types(doc):
    assert yaml.load(written("yaml", doc), Loader=_core_1_2()) == doc


@cache
def _core_1_2():
    """A loader with the core schema of YAML 1.2 (section 10.3.2), as Go and JavaScript readers have it."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {}

    def rule(tag, pattern):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), None)

    rule("null", "null|Null|NULL|~|")
    rule("bool", "true|True|TRUE|false|False|FALSE")
    rule("int", "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
    rule("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
    return Loader


@given(st.lists(TEXT.filter(lambda t: t.splitlines() in ([], [t]) and "\0" not in t)))
def test_lines_round_trip(lines):
    assert written("lines", lines).decode().split("\n")[:-1] == lines


@given(st.lists(TEXT.map(lambda t: t.replace("\0", ""))))
def test_argv_round_trip(words):
    assert written("argv", words).decode().split("\0")[:-1] == words


@given(st.binary())
def test_bytes_round_trip(data):
    assert written("bytes", data.hex()) == data


def test_exact_forms():
    assert written("json", {"b": [1], "a": {}}) == b'{\n  "b": [\n    1\n  ],\n  "a": {}\n}\n'
    assert written("toml", {"b": [1], "a": {"x": True}}) == b"b = [\n    1,\n]\n\n[a]\nx = true\n"
    assert written("yaml", {"b": ["on", "x/y"], "a": 1}) == b'b:\n- "on"\n- x/y\na: 1\n'
    assert written("text", "é\n") == b"\xc3\xa9\n"
    assert written("env", {"A": "x:y", "B": 3}) == b"A=x:y\nB=3\n"
    assert written("argv", ["--bind", ["/a", ["/b", ""]]]) == b"--bind\0/a\0/b\0\0"
    assert written("argv", {"options": [["--a", "b"]], "rest": ["c"]}) == b"--a\0b\0c\0"
    assert written("lines", {"x": ["a"], "y": ["b"]}) == b"a\nb\n"


def test_yaml_has_no_aliases():
    shared = ["x"]
    assert b"&" not in written("yaml", {"a": shared, "b": shared})


def test_references_are_resolved_at_emission():
    doc = {"k": [SecretRef("vault:x"), {"p": ArtifactPath("settings")}], "e": Endpoint(id="egress")}
    assert json.loads(written("json", doc)) == {
        "k": ["secret:vault:x", {"p": "artifact:settings"}],
        "e": "endpoint:egress",
    }


def test_a_resolved_value_is_checked_like_any_other():
    artifact = Artifact(id="a", codec="lines", doc=[SecretRef("x")])
    with pytest.raises(RenderError, match="line break"):
        emit(artifact, lambda _: "a\nb")


def test_launch_is_json_with_references_resolved():
    launch = Launch(program="bwrap", args=("--args", ArtifactPath("argv")), env={"T": SecretRef("v:t")})
    assert json.loads(written("launch", launch)) == {
        "program": "bwrap",
        "args": ["--args", "artifact:argv"],
        "env": {"T": "secret:v:t"},
        "fds": {},
        "rlimits": {},
    }


REFUSED = [
    ("json", {"a": float("nan")}, "/a: not a finite number"),
    ("json", {"a": 2**64}, "/a: integer beyond 64 bits"),
    ("json", {"a": ["\ud800"]}, "/a/0: a lone surrogate"),
    ("json", {1: "x"}, "key 1 is not text"),
    ("json", {"a": {1, 2}}, "/a: a document may not hold set"),
    ("toml", [1], "is a mapping"),
    ("toml", {"a": None}, "no null"),
    ("toml", {"a": 2**63}, "beyond what TOML"),
    ("text", ["x"], "is a string"),
    ("lines", "x", "is a list"),
    ("lines", ["a\nb"], "line break"),
    ("lines", ["a\r"], "line break"),
    ("lines", ["a\u2028b"], "line break"),
    ("lines", ["a\0b"], "NUL"),
    ("lines", [1], "not a line"),
    ("lines", {"a": ["x"], "b": "y"}, "mapping of lists"),
    ("argv", "x", "is a list"),
    ("argv", ["a\0b"], "not an argument"),
    ("argv", [["a"], 1], "not an argument"),
    ("env", ["A=b"], "is a mapping"),
    ("env", {"A B": "x"}, "name of a variable"),
    ("env", {"A\nB": "x"}, "name of a variable"),
    ("env", {"A": "x y"}, "without quotes"),
    ("env", {"A": "$(id)"}, "without quotes"),
    ("env", {"A": "x\n"}, "without quotes"),
    ("env", {"A": True}, "without quotes"),
    ("bytes", "0A", "hexadecimal"),
    ("bytes", "xyz", "hexadecimal"),
    ("bytes", b"ab", "may not hold bytes"),
    ("launch", {"x": 1}, "holds a Launch"),
    ("launch", Launch(program="a\0b"), "NUL"),
    ("launch", Launch(program="a", env={"A=B": "x"}), "name of a variable"),
]


@pytest.mark.parametrize(("codec", "doc", "why"), REFUSED)
def test_refused(codec, doc, why):
    with pytest.raises(RenderError, match=why) as caught:
        written(codec, doc)
    assert caught.value.source == "a"


def test_importing_the_emitter_loads_no_serializer():
    code = (
        "import sys, tappass_host.sdk.emit; print(sorted({'yaml', 'tomli_w', 'asyncio'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
