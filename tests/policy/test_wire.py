"""Strict JSON: every refusal names its place."""

import json
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tappass_host.policy.errors import WireError
from tappass_host.policy.wire import MAX_DEPTH, MAX_INTEGER, pointer, strict_json

# name: (bytes, pointer, source, part of the message)
REFUSED = {
    "duplicate key": (b'{"a": 1, "a": 1}', "/a", "p.json", "duplicate key"),
    "duplicate key deep inside": (
        b'{"x": [0, {"b/c": 1, "k": 2, "b/c": 3}]}',
        "/x/1/b~1c",
        "p.json",
        "duplicate",
    ),
    "duplicate key by escape": (b'{"a": 1, "\\u0061": 2}', "/a", "p.json", "duplicate key"),
    "duplicate empty key": (b'{"": 1, "": 2}', "/", "p.json", "duplicate key"),
    "third of four keys repeats": (b'{"a":1,"b":1,"b":2,"a":2}', "/b", "p.json", "duplicate key"),
    "fraction": (b'{"a": [1, 2.0]}', "/a/1", "p.json", "fraction or exponent"),
    "exponent": (b'{"a": 1e3}', "/a", "p.json", "fraction or exponent"),
    "capital exponent": (b"[1E3]", "/0", "p.json", "fraction or exponent"),
    "negative zero fraction": (b"-0.0", "", "p.json", "fraction or exponent"),
    "NaN": (b'{"a": {"b": NaN}}', "/a/b", "p.json", "NaN is not JSON"),
    "Infinity": (b"[Infinity]", "/0", "p.json", "Infinity is not JSON"),
    "-Infinity": (b"[-Infinity]", "/0", "p.json", "-Infinity is not JSON"),
    "integer 2^53": (b'{"version": 9007199254740992}', "/version", "p.json", "2^53-1"),
    "integer -2^53": (b"[-9007199254740992]", "/0", "p.json", "2^53-1"),
    "a million digits": (b"[" + b"9" * 1_000_000 + b"]", "/0", "p.json", "2^53-1"),
    "lone high surrogate": (b'{"a": ["\\ud800"]}', "/a/0", "p.json", "surrogate"),
    "lone low surrogate": (b'{"a": "x\\uDFFFy"}', "/a", "p.json", "surrogate"),
    "surrogates the wrong way round": (b'["\\udc00\\ud800"]', "/0", "p.json", "surrogate"),
    "surrogate in a key": (b'{"\\ud800": 1}', "/\\ud800", "p.json", "surrogate"),
    "key that would clear the terminal": (b'{"\\u001b[2J": 1.5}', "/\\u001b[2J", "p.json", "fraction"),
    "key that reverses text": (b'{"\\u202e": 1.5}', "/\\u202e", "p.json", "fraction"),
    "byte order mark": (b"\xef\xbb\xbf{}", "", "p.json", "byte order mark"),
    "UTF-16": ("{}".encode("utf-16"), "", "p.json:1:1", "not UTF-8"),
    "latin-1": (b'{\n "\xe9": 1}', "", "p.json:2:3", "not UTF-8"),
    "overlong UTF-8": (b'["\xc0\xaf"]', "", "p.json:1:3", "not UTF-8"),
    "surrogate in UTF-8": (b'["\xed\xa0\x80"]', "", "p.json:1:3", "not UTF-8"),
    "truncated": (b'{"a": {"b": 1', "", "p.json:1:14", "not JSON"),
    "truncated string": (b'{"a": "b', "", "p.json:1:7", "not JSON"),
    "empty": (b"", "", "p.json:1:1", "not JSON"),
    "trailing bytes": (b'{"a": 1}\n{"a": 2}', "", "p.json:2:1", "not JSON"),
    "trailing NUL": (b"{}\x00", "", "p.json:1:3", "not JSON"),
    "trailing comma": (b'{"a": 1,}', "", "p.json:1:", "not JSON"),
    "comment": (b'{"a": 1} // x', "", "p.json:1:10", "not JSON"),
    "single quotes": (b"{'a': 1}", "", "p.json:1:2", "not JSON"),
    "leading zero": (b"[01]", "", "p.json:1:3", "not JSON"),
    "leading plus": (b"[+1]", "", "p.json:1:2", "not JSON"),
    "non-ASCII digit": ("[\uff11]".encode(), "", "p.json:1:2", "not JSON"),
    "non-ASCII blank": ("[\u00a01]".encode(), "", "p.json:1:2", "not JSON"),
    "raw newline in a string": (b'["a\nb"]', "", "p.json:1:4", "not JSON"),
    "raw NUL in a string": (b'["a\x00b"]', "", "p.json:1:4", "not JSON"),
    "bad escape": (b'["\\x41"]', "", "p.json:1:", "not JSON"),
    "short unicode escape": (b'["\\u12"]', "", "p.json:1:", "not JSON"),
    "lone backslash at the end": (b'["\\', "", "p.json:1:2", "not JSON"),
    "arrays one too deep": (b"[" * 33 + b"]" * 33, "", "p.json:1:33", "nested deeper than 32"),
    "objects one too deep": (b'{"a":\n' * 33 + b"1" + b"}" * 33, "", "p.json:33:1", "nested deeper than 32"),
    "a hundred thousand deep": (b"[" * 100_000, "", "p.json:1:33", "nested deeper than 32"),
}

ACCEPTED = {
    "the largest integers": (b"[9007199254740991, -9007199254740991]", [MAX_INTEGER, -MAX_INTEGER]),
    "negative zero": (b"[-0]", [0]),
    "constants": (b"[true, false, null]", [True, False, None]),
    "surrogate pair by escape": (b'"\\ud83d\\ude00"', "\U0001f600"),
    "raw non-BMP": ('{"\U0001f600": "é"}'.encode(), {"\U0001f600": "é"}),
    "brackets inside strings do not nest": (b'["' + b"[{" * 99 + b'"]', ["[{" * 99]),
    "escaped quote before brackets": (b'["\\"[[[[", "\\\\"]', ['"[[[[', "\\"]),
    "escape that only looks like a surrogate": (b'["\\\\ud800"]', ["\\ud800"]),
    "exactly as deep as allowed": (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, json.loads("[" * 32 + "]" * 32)),
    "blanks around": (b" \t\r\n{} \n", {}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    data, where, source, why = REFUSED[name]
    with pytest.raises(WireError) as caught:
        strict_json(data, source="p.json")
    assert caught.value.pointer == where
    assert caught.value.source.startswith(source)
    assert why in caught.value.message
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name):
    data, value = ACCEPTED[name]
    assert strict_json(data) == value


def test_size_is_checked_before_decoding():
    with pytest.raises(WireError, match="101 bytes, the limit is 100"):
        strict_json(b"\xff" * 101, max_bytes=100)
    assert strict_json(b"[" + b" " * 98 + b"]", max_bytes=100) == []


def test_a_place_is_named_even_without_a_file_name():
    with pytest.raises(WireError, match=r"^<json>:1:2: not JSON"):
        strict_json(b"[")


@pytest.mark.parametrize("unit", [b'\\"', b'"', b"\\", b'"\\', b'["', b'{"a":"'], ids=repr)
def test_hostile_quotes_are_scanned_once(unit):
    # A scanner that starts over at every quote needs hours for this; a linear one well under a second.
    start = time.process_time()
    with pytest.raises(WireError):
        strict_json(b'"' + unit * (1_000_000 // len(unit)))
    assert time.process_time() - start < 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_others_write_is_read_back(value):
    assert strict_json(msgspec.json.encode(value)) == value
    assert strict_json(json.dumps(value, ensure_ascii=True).encode()) == value


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:\\u0d8e1-. tn', max_size=40).map(str.encode))
def test_total_and_never_looser_than_the_standard_library(data):
    try:
        value = strict_json(data)
    except WireError:
        return
    assert json.loads(data) == value
    assert msgspec.json.decode(data) == value


def test_pointer_escapes():
    assert pointer(["a~b", "c/d", 0, ""]) == "/a~0b/c~1d/0/"
    assert pointer([]) == ""
