import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tappass_host.policy.errors import GrammarError
from tappass_host.policy.grammar.commands import CommandPattern, base_name, parse_command

WORDS = st.sampled_from(["git", "push", "-C", "a b", "it's", "*", "$x", "~/x", "", 'q"', "ls;", "é", "\\"])
PATTERNS = st.builds(
    lambda first, rest, prefix: CommandPattern((first, *rest), prefix),
    st.sampled_from(["git", "/usr/bin/git", "my tool", "ls"]),
    st.lists(WORDS, max_size=3),
    st.booleans(),
)
ARGVS = st.tuples(st.sampled_from(["git", "/usr/bin/git", "ls"]), st.lists(WORDS, max_size=3)).map(
    lambda pair: (pair[0], *pair[1])
)


@pytest.mark.parametrize(
    ("text", "words", "prefix", "canonical"),
    [
        ("ls", ("ls",), False, "ls"),
        ("git *", ("git",), True, "git *"),
        ("git  push   *", ("git", "push"), True, "git push *"),
        ("npm run 'a b'", ("npm", "run", "a b"), False, "npm run 'a b'"),
        ('npm run "a b"', ("npm", "run", "a b"), False, "npm run 'a b'"),
        ("echo '*'", ("echo", "*"), False, "echo '*'"),
        ("echo \\*", ("echo", "*"), False, "echo '*'"),
        ("echo '*' *", ("echo", "*"), True, "echo '*' *"),
        ("echo 'it'\\''s'", ("echo", "it's"), False, "echo 'it'\"'\"'s'"),
        ('echo "\\$x"', ("echo", "$x"), False, "echo '$x'"),
        ("cat ~/x", ("cat", "~/x"), False, "cat ~/x"),
        ("echo ''", ("echo", ""), False, "echo ''"),
    ],
)
def test_parsing(text, words, prefix, canonical):
    pattern = parse_command(text)
    assert (pattern.words, pattern.prefix, str(pattern)) == (words, prefix, canonical)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("*", "names every command"),
        ("''", "names no program"),
        ("/", "names no program"),
        ("git:*", r"holds \* outside quotes"),
        ("git * status", r"holds \* outside quotes"),
        ("git *.py", r"holds \* outside quotes"),
        ("git $x", r"holds \$ outside quotes"),
        ('git "$x"', r"holds \$ inside double quotes"),
        ('git "`x`"', "holds ` inside double quotes"),
        ("git; ls", "holds ; outside quotes"),
        ("git | ls", r"holds \| outside quotes"),
        ("git > f", "holds > outside quotes"),
        ("git 'a", "unbalanced quote"),
        ('git "a', "unbalanced quote"),
        ("git a\\", "unbalanced quote"),
        ("git \\ *", "unbalanced quote"),
        ("git\tx", "unprintable"),
    ],
)
def test_refused(text, why):
    with pytest.raises(GrammarError, match=why) as caught:
        parse_command(text)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("pattern", "argv", "surely", "maybe", "decided"),
    [
        ("git *", ("git",), True, True, True),
        ("git *", ("git", "status"), True, True, True),
        ("git *", ("/tmp/git", "status"), False, True, True),
        ("/usr/bin/git *", ("git",), False, True, True),
        ("git *", ("gitk",), False, False, True),
        ("git *", ("git", None), True, True, True),
        ("git push *", ("git", None), False, True, False),
        ("git push *", ("git", "log", None), False, False, True),
        ("git push *", ("git", "push", None), True, True, True),
        ("git push", ("git", "push", None), False, True, False),
        ("git push", ("git", "push", "x", None), False, False, False),
        ("ls", ("ls",), True, True, True),
        ("ls", ("ls", "-l"), False, False, True),
        ("ls", (None,), False, True, False),
        ("ls", ("=ls",), False, True, True),
        ("ls", (), False, False, True),
    ],
)
def test_matching(pattern, argv, surely, maybe, decided):
    parsed = parse_command(pattern)
    found = (parsed.matches(argv), parsed.may_match(argv), parsed.is_decided_by(argv))
    assert found == (surely, maybe, decided)


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("git *", "git push *", True),
        ("git *", "git", True),
        ("git push *", "git *", False),
        ("git", "git *", False),
        ("git", "git", True),
        ("git *", "/usr/bin/git *", False),
    ],
)
def test_covers(outer, inner, expected):
    assert parse_command(outer).covers(parse_command(inner)) is expected


@pytest.mark.parametrize(
    ("program", "base"), [("/usr/bin/curl", "curl"), ("./curl", "curl"), ("=curl", "curl")]
)
def test_base_name(program, base):
    assert base_name(program) == base


@settings(deadline=None)
@given(PATTERNS)
def test_round_trip(pattern):
    assert parse_command(str(pattern)) == pattern
    assert shlex.split(str(pattern).removesuffix(" *")) == list(pattern.words)


@settings(deadline=None)
@given(PATTERNS, PATTERNS, ARGVS)
def test_covers_and_may_match_are_sound(a, b, argv):
    if a.covers(b):
        assert a.matches(argv) >= b.matches(argv)
    assert a.may_match(argv) >= a.matches(argv)


@settings(deadline=None)
@given(ARGVS, PATTERNS, st.integers(1, 4), st.integers(0, 2))
def test_a_computed_word_may_be_anything(argv, pattern, at, extra):
    # Whatever words the shell computes from there on, a match of the result was announced.
    assert pattern.may_match((*argv[:at], *[None] * (1 + extra))) >= pattern.may_match(argv)


@settings(deadline=None)
@given(st.text(max_size=60) | st.text("git *'\"\\$`;~", max_size=20))
def test_any_text_parses_or_is_refused(text):
    try:
        pattern = parse_command(text)
    except GrammarError:
        return
    assert parse_command(str(pattern)) == pattern
