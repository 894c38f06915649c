import fnmatch
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tappass_host.policy.errors import GrammarError
from tappass_host.policy.grammar.globs import (
    accepts,
    after_names,
    covers_names,
    segment_covers,
    segment_matches,
)
from tappass_host.policy.grammar.paths import PathRule, parse_path, specificity, split_path

NAMES = st.sampled_from(["a", "b", "ws", ".env", "secret", "x.pem"])
GLOBS = st.sampled_from(["*", "**", "?", "*.pem", ".*", "a*", "s*t"])
PATTERNS = st.lists(NAMES | GLOBS, min_size=1, max_size=5).map(lambda s: parse_path("/" + "/".join(s)))
PATHS = st.lists(NAMES, max_size=5).map(lambda names: "/" + "/".join(names))


@pytest.mark.parametrize(
    ("text", "canonical", "anchor", "is_glob", "depth"),
    [
        ("/", "/", "/", False, 0),
        ("/ws/a", "/ws/a", "/ws/a", False, 2),
        ("/ws/**", "/ws", "/ws", False, 1),
        ("/**", "/", "/", False, 0),
        ("/ws/**/**/.env", "/ws/**/.env", "/ws", True, 1),
        ("/ws/*/b", "/ws/*/b", "/ws", True, 1),
        ("~", "~", "~", False, 0),
        ("~/.ssh", "~/.ssh", "~/.ssh", False, 1),
        ("~/*/x", "~/*/x", "~", True, 0),
        ("${workspace}", "${workspace}", "${workspace}", False, 0),
        ("${workspace}/a/**", "${workspace}/a", "${workspace}/a", False, 1),
        ("/home/${user}/x", "/home/${user}/x", "/home/${user}/x", False, 3),
        ("**/.env", "**/.env", "", True, 0),
        ("a/**", "a/**", "a", True, 1),
        ("*.pem", "*.pem", "", True, 0),
        ("/a b/[id]/{x}", "/a b/[id]/{x}", "/a b/[id]/{x}", False, 3),
    ],
)
def test_canonical_text(text, canonical, anchor, is_glob, depth):
    rule = parse_path(text)
    assert (str(rule), rule.anchor, rule.is_glob, specificity(rule)) == (canonical, anchor, is_glob, depth)
    assert parse_path(canonical) == rule


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("a", "is relative"),
        ("a/b", "is relative"),
        ("./a*", "segment"),
        ("../a", "segment"),
        ("/a/../b", "segment"),
        ("/a/./b", "segment"),
        ("/a//b", "empty segment"),
        ("//a", "empty segment"),
        ("/a/", "empty segment"),
        ("~/", "empty segment"),
        ("~bob/x", "another user's home"),
        ("~bob*/x", "another user's home"),
        ("$HOME/x*", "begins with a variable"),
        ("${HOME}/x", "malformed parameter"),
        ("/a/${", "malformed parameter"),
        ("/a/**b", "inside a segment"),
        ("C:\\x", "backslash"),
        ("/a\0", "unprintable"),
        ("/a\nb", "unprintable"),
        ("/a\u202eb", "unprintable"),
        ("/a ", "blanks"),
        ("/" + "a" * 5000, "longer than"),
    ],
)
def test_refused(text, why):
    with pytest.raises(GrammarError, match=why) as caught:
        parse_path(text)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("rule", "path", "below", "node"),
    [
        ("/ws", "/ws", True, True),
        ("/ws", "/ws/a/b", True, False),
        ("/ws", "/wsx", False, False),
        ("/ws", "/", False, False),
        ("/", "/anything", True, False),
        ("/", "/", True, True),
        ("/ws/**/.env", "/ws/.env", True, True),
        ("/ws/**/.env", "/ws/a/b/.env", True, True),
        ("/ws/**/.env", "/ws/a/.env/x", True, False),
        ("/ws/**/.env", "/ws/a.env", False, False),
        ("/ws/**/.env", "/tmp/.env", False, False),
        ("/ws/*", "/ws/.hidden", True, True),
        ("/ws/*", "/ws", False, False),
        ("/ws/a?c", "/ws/abc", True, True),
        ("/ws/a?c", "/ws/ac", False, False),
        ("/ws/*b*d", "/ws/abcbd", True, True),
        ("/ws/[id]", "/ws/i", False, False),
        ("~/.ssh", "~/.ssh/id", True, False),
        ("~/.ssh", "/.ssh/id", False, False),
        ("${workspace}", "${workspace}/a", True, False),
        ("**/.env", "a/.env", True, True),
        ("**/.env", "/a/.env", False, False),
        ("/ws", "/ws/../etc", False, False),
        ("/etc", "/ws/../etc/passwd", True, False),
        ("/ws", "//ws/./a", True, False),
        ("/", "", False, False),
        ("/", "ws", False, False),
    ],
)
def test_matching(rule, path, below, node):
    parsed = parse_path(rule)
    assert (parsed.matches(path), parsed.covers_node(path)) == (below, node)


@pytest.mark.parametrize(
    ("rule", "root", "expected"),
    [
        ("**/.env", "/ws", "/ws/**/.env"),
        ("**/.env", "~", "~/**/.env"),
        ("*.pem", "/", "/*.pem"),
        ("/abs", "/ws", "/abs"),
        ("~/x", "/ws", "~/x"),
    ],
)
def test_anchoring(rule, root, expected):
    assert str(parse_path(rule).anchored_at(root)) == expected


def test_a_glob_is_no_anchor():
    with pytest.raises(GrammarError, match="cannot anchor"):
        parse_path("**/.env").anchored_at("/ws/*")


@pytest.mark.parametrize(
    ("rule", "path", "within", "above"),
    [
        ("/ws/secret", "/ws", True, False),
        ("/ws/secret", "/ws/secret", True, False),
        ("/ws/secret", "/ws/secret/a", False, False),
        ("/ws/secret", "/", True, False),
        ("/ws/secret", "/tmp", False, False),
        ("/ws/**/.env", "/ws/a", False, True),
        ("/ws/**/.env", "/ws", True, False),
        ("/ws/**/.env", "/", True, False),
        ("/ws/**/.env", "/tmp/a", False, False),
    ],
)
def test_where_the_anchor_lies(rule, path, within, above):
    parsed = parse_path(rule)
    assert (parsed.lies_within(path), parsed.anchored_above(path)) == (within, above)


@pytest.mark.parametrize(
    ("rule", "source", "destination", "survives"),
    [
        ("/ws/**/.env", "/ws/a", "/ws/b", True),
        ("/ws/**/.env", "/ws/a", "/tmp/a", False),
        ("/ws/**/.env", "/ws", "/ws2", False),
        ("/ws/secret", "/ws", "/x", False),
        ("/ws/secret", "/ws/other", "/x", True),
        ("/ws/**/keys/*.pem", "/ws/keys", "/ws/open", False),
        ("/ws/**/keys/*.pem", "/ws/open", "/ws/keys", True),
        ("/ws/*/.env", "/ws/a", "/ws/b", True),
        ("/ws/*/.env", "/ws/a", "/ws/b/c", False),
        ("/ws/*.env", "/ws/a/b", "/tmp/b", True),
        ("~/x", "/a", "/b", True),
    ],
)
def test_moves(rule, source, destination, survives):
    assert parse_path(rule).survives_move(source, destination) is survives


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("/", "/ws/**/.env", True),
        ("/ws", "/ws/a", True),
        ("/ws/a", "/ws", False),
        ("/ws/**/.env", "/ws/a/**/.env", True),
        ("/ws/**/.env", "/ws/a/.env/x", True),
        ("/ws/*", "/ws/*.pem", True),
        ("/ws/*.pem", "/ws/*", False),
        ("/ws/*", "/ws/**/x", False),
        ("/ws/**/x", "/ws/*/x", True),
        ("/ws/a*", "/ws/ab", True),
        ("/home/*", "/home/${user}", False),
        ("~", "~/x", True),
        ("~", "/x", False),
        ("**/.env", "a/**/.env", True),
    ],
)
def test_covers(outer, inner, expected):
    assert parse_path(outer).covers(parse_path(inner)) is expected


@settings(deadline=None)
@given(PATTERNS)
def test_round_trip(rule):
    assert parse_path(str(rule)) == rule
    assert rule.covers(rule)


@settings(deadline=None, max_examples=300)
@given(PATTERNS, PATTERNS, PATHS)
def test_covers_is_sound(a, b, path):
    if a.covers(b):
        assert a.matches(path) >= b.matches(path)


@settings(deadline=None, max_examples=300)
@given(PATTERNS, PATHS, PATHS, PATHS)
def test_survives_move_is_sound(rule, source, destination, below):
    if rule.survives_move(source, destination):
        assert rule.matches(destination + below) >= rule.matches(source + below)


@settings(deadline=None, max_examples=300)
@given(PATTERNS, PATHS)
def test_matches_means_some_prefix_is_named(rule, path):
    root, names = split_path(path)
    prefixes = [root + "/".join(names[:count]) for count in range(len(names) + 1)]
    assert rule.matches(path) == any(rule.covers_node(prefix) for prefix in prefixes)


@settings(deadline=None, max_examples=300)
@given(PATTERNS, PATHS)
def test_the_fast_way_agrees_with_the_automaton(rule, path):
    _, names = split_path(path)
    assert covers_names(rule.segments, names) == accepts(rule.segments, after_names(rule.segments, names))


@settings(deadline=None, max_examples=300)
@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_segments_match_like_fnmatch(pattern, name):
    assert segment_matches(pattern, name) == bool(re.match(fnmatch.translate(pattern), name))


@settings(deadline=None)
@given(st.text("ab*?", max_size=5), st.text("ab*?", max_size=5), st.text("ab", max_size=5))
def test_segment_covers_is_sound(pattern, other, name):
    if segment_covers(pattern, other):
        assert segment_matches(pattern, name) >= segment_matches(other, name)


@settings(deadline=None)
@given(st.text(max_size=60) | st.text("/~${}abw*?.\\ ", max_size=30))
def test_any_text_parses_or_is_refused(text):
    split_path(text)
    try:
        rule = parse_path(text)
    except GrammarError:
        return
    assert parse_path(str(rule)) == rule
    assert rule == PathRule(rule.root, rule.segments)
    assert isinstance(rule.matches(text), bool)


def test_matching_is_not_exponential():
    rule = parse_path("/" + "/".join(["**", "a*a*a*a*a*b"] * 20))
    assert not rule.matches("/" + "/".join(["a" * 200] * 200))
