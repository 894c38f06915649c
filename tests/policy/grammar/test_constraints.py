import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tappass_host.policy.errors import GrammarError
from tappass_host.policy.grammar.constraints import Constraint, Range, narrower, parse_constraint

SCALARS = st.sampled_from([0, 1, 5, True, False, None, "a", "ab", "/ws/a", "/ws/b/c", "", "prod"])
VALUES = SCALARS | st.sampled_from([2.5, 1.0, [], ["a"], {}, "/ws/../etc", "/wsx", "b" * 9])


def build(parts):
    const, one_of, not_one_of, low, high, pattern, subpath, max_len = parts
    bounds = None if low is None and high is None else Range(min=low, max=high)
    return Constraint(
        const=const,
        one_of=one_of,
        not_one_of=not_one_of,
        range=bounds,
        pattern=pattern,
        subpath=subpath,
        max_len=max_len,
    )


ENTRIES = st.none() | st.lists(SCALARS, min_size=1, max_size=3).map(tuple)
CONSTRAINTS = (
    st.tuples(
        st.just(msgspec.UNSET) | SCALARS,
        ENTRIES,
        ENTRIES,
        st.sampled_from([None, 0, 1]),
        st.sampled_from([None, 1, 5]),
        st.sampled_from([None, "a+", ".*", "a|b"]),
        st.sampled_from([None, "/ws", "/ws/b", "/"]),
        st.sampled_from([None, 0, 2, 8]),
    )
    .filter(lambda parts: parts != (msgspec.UNSET, *[None] * 7))
    .map(build)
)


@pytest.mark.parametrize(
    ("constraint", "passes", "fails"),
    [
        ({"const": 1}, [1], [True, 1.0, "1", 2, None]),
        ({"const": None}, [None], [0, "", False]),
        ({"const": True}, [True], [1, False]),
        ({"one_of": ["a", 1]}, ["a", 1], ["b", True, 1.0, ["a"]]),
        ({"not_one_of": ["prod"]}, ["dev", ""], ["prod", 1, None, ["prod"]]),
        ({"not_one_of": [1]}, [2], [1, 1.0, True, "1"]),
        ({"range": {"min": 1, "max": 3}}, [1, 2.5, 3], [0, 4, "2", True, None, float("nan"), float("inf")]),
        ({"range": {"max": 3}}, [-(10**9)], [4, float("inf")]),
        ({"pattern": "[a-z]+"}, ["abc"], ["", "abc1", "abc\n", "ABC", 5, None, "\ud800"]),
        ({"pattern": "a|b"}, ["a", "b"], ["ab", "xb", "ax"]),
        ({"subpath": "/ws"}, ["/ws", "/ws/a", "/ws//a"], ["/wsx", "/", "ws", "/ws/../etc", "/ws/a\0", 5, ""]),
        ({"subpath": "~/a"}, ["~/a/b"], ["/a", "/root/a"]),
        ({"subpath": "${workspace}"}, [], ["/ws", "/"]),
        ({"max_len": 3}, ["abc", "", [1, 2], "ééé"], ["abcd", [1, 2, 3, 4], 3, None, {}]),
        ({"pattern": "a*", "max_len": 2}, ["aa"], ["aaa", "b"]),
    ],
)
def test_check(constraint, passes, fails):
    parsed = parse_constraint(json.dumps(constraint))
    assert [value for value in passes if parsed.check(value) is not None] == []
    assert [value for value in fails if parsed.check(value) is None] == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is malformed"),
        ("{}", "constraint is empty"),
        ("[]", "is malformed"),
        ("{", "is malformed"),
        ('{"unknown":1}', "unknown field"),
        ('{"const":1.5}', "float"),
        ('{"one_of":[]}', "length"),
        ('{"one_of":[[1]]}', "array"),
        ('{"range":{}}', "no bound"),
        ('{"range":{"min":2,"max":1}}', "holds no number"),
        ('{"range":{"min":1.5}}', "float"),
        ('{"pattern":"("}', "is not RE2"),
        ('{"pattern":"(?=a)"}', "is not RE2"),
        ('{"pattern":"(a)\\\\1"}', "is not RE2"),
        ('{"subpath":"a"}', "is relative"),
        ('{"subpath":"/a/*"}', "is a glob"),
        ('{"max_len":-1}', "max_len"),
    ],
)
def test_refused(text, why):
    with pytest.raises(GrammarError, match=why) as caught:
        parse_constraint(text)
    assert caught.value.remedy


def test_a_decoder_names_the_place():
    with pytest.raises(msgspec.ValidationError, match=r"is not RE2.*\$\[\.\.\.\]"):
        msgspec.json.decode('{"arg":{"pattern":"("}}', type=dict[str, Constraint])


def test_one_and_true_are_different_constraints():
    one, true = parse_constraint('{"const":1}'), parse_constraint('{"const":true}')
    assert one != true
    assert len({one, true}) == 2


def test_lists_are_sets():
    assert parse_constraint('{"one_of":["b","a","a"]}') == parse_constraint('{"one_of":["a","b"]}')
    assert str(parse_constraint('{"one_of":[1,true]}')) == '{"one_of":[1,true]}'


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ({"const": "a"}, {"one_of": ["a", "b"]}, True),
        ({"const": "a"}, {"pattern": "a+"}, True),
        ({"one_of": ["a", "aa"]}, {"pattern": "a+", "max_len": 2}, True),
        ({"one_of": ["a", "b"]}, {"const": "a"}, False),
        ({"range": {"min": 1, "max": 2}}, {"range": {"min": 0}}, True),
        ({"range": {"min": 1}}, {"range": {"min": 0, "max": 9}}, False),
        ({"pattern": "a+"}, {"pattern": "a+"}, True),
        ({"pattern": "a"}, {"pattern": "a+"}, False),
        ({"pattern": "a+", "max_len": 3}, {"max_len": 5}, True),
        ({"subpath": "/ws/a"}, {"subpath": "/ws"}, True),
        ({"subpath": "/ws"}, {"subpath": "/ws/a"}, False),
        ({"not_one_of": ["a", "b"]}, {"not_one_of": ["a"]}, True),
        ({"not_one_of": ["a"]}, {"not_one_of": ["a", "b"]}, False),
        ({"not_one_of": ["a", 1]}, {"not_one_of": ["a"]}, False),
        ({"pattern": "a+"}, {"not_one_of": ["b"]}, True),
        ({"max_len": 5}, {"pattern": ".*"}, False),
    ],
)
def test_narrower(a, b, expected):
    assert narrower(parse_constraint(json.dumps(a)), parse_constraint(json.dumps(b))) is expected


@settings(deadline=None)
@given(CONSTRAINTS)
def test_round_trip(constraint):
    assert parse_constraint(str(constraint)) == constraint
    assert narrower(constraint, constraint)


@settings(deadline=None, max_examples=400)
@given(CONSTRAINTS, CONSTRAINTS, st.lists(VALUES, min_size=1, max_size=20))
def test_narrower_is_sound(a, b, values):
    if narrower(a, b):
        assert [v for v in values if a.check(v) is None and b.check(v) is not None] == []


@settings(deadline=None)
@given(
    st.text(max_size=60)
    | st.dictionaries(st.sampled_from(["const", "pattern", "subpath"]), st.text()).map(json.dumps)
)
def test_any_text_parses_or_is_refused(text):
    try:
        constraint = parse_constraint(text)
    except GrammarError:
        return
    assert parse_constraint(str(constraint)) == constraint
