"""The canonical form equals RFC 8785, with the `rfc8785` package as oracle."""

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tappass_host.policy.canonical import canonical_bytes, digest
from tappass_host.policy.errors import WireError
from tappass_host.policy.wire import MAX_INTEGER, strict_json

CASES = {
    "empty object": {},
    "keys sorted": {"b": 1, "a": {"d": [], "c": None}},
    "control characters": ["".join(map(chr, range(0x20))), "\x7f", '"\\/'],
    "line separators are not escaped": ["\u2028\u2029"],
    "keys above and below the surrogates": {"\ufb33": 1, "\U0001f600": 2, "\ue000": 3, "\ud7ff": 4, "z": 5},
    "nested non-BMP keys": {"a": [{"\uffff": 1, "\U00010000": {"\uffff": 1, "\U00010000": 2}}]},
    "non-BMP values only": {"b": "\U0001f600", "a": "\U0001f600"},
    "numeric-looking keys": {"10": 1, "9": 2, "1": 3},
    "largest integers": [MAX_INTEGER, -MAX_INTEGER, 0],
    "truth is not a number": [True, False, 1, 0],
}

REFUSED = {
    "float": ({"a": [1.0]}, "/a/0"),
    "NaN": ({"a": float("nan")}, "/a"),
    "integer 2^53": ({"v": MAX_INTEGER + 1}, "/v"),
    "integer -2^53": ([-MAX_INTEGER - 1], "/0"),
    "key that is a number": ({"a": {1: 2}}, "/a"),
    "lone surrogate": (["\ud800"], ""),
    "lone surrogate as key": ({"\ud800": 1}, ""),
}


class Part(msgspec.Struct):
    zulu: int
    alpha: tuple[str, ...]
    nested: dict[str, int] | None = None


@pytest.mark.parametrize("name", CASES)
def test_equals_rfc8785(name):
    assert canonical_bytes(CASES[name]) == rfc8785.dumps(CASES[name])


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    obj, where = REFUSED[name]
    with pytest.raises(WireError) as caught:
        canonical_bytes(obj)
    assert caught.value.pointer == where


def test_the_rfc_sorts_by_utf16_and_not_by_code_point():
    # RFC 8785 section 3.2.3: U+1F600 is D83D DE00 in UTF-16 and so comes before U+FB33.
    assert canonical_bytes({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


def test_structs_are_documents():
    assert canonical_bytes(Part(1, ("b", "a"), {"y": 1, "x": 2})) == (
        b'{"alpha":["b","a"],"nested":{"x":2,"y":1},"zulu":1}'
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(JSON)
def test_always_equals_rfc8785_and_is_stable(value):
    data = canonical_bytes(value)
    assert data == rfc8785.dumps(value)
    assert canonical_bytes(strict_json(data)) == data


def test_digest_names_the_algorithm():
    # FIPS 180-2 appendix B.1.
    assert digest(b"abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
