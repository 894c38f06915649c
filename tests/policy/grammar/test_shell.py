"""The reader of shell lines: what it finds, what it doubts, and that it always answers, in bounded time."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tappass_host.policy.grammar.shell import SimpleCommand, judge_command, parse_command_line
from tappass_host.policy.grammar.shell_tree import MAX_LINE
from tappass_host.policy.grammar.shell_wrappers import unwrap
from tappass_host.policy.grammar.tools import parse_tool

RULES = {
    "allow": (parse_tool("Bash(git *)"), parse_tool("Bash(ls)")),
    "ask": (parse_tool("Bash(git push *)"),),
    "deny": (parse_tool("Bash(curl *)"),),
}
TOKENS = st.sampled_from(
    [
        "git",
        "ls",
        "curl",
        " ",
        "\n",
        ";",
        "|",
        "&",
        "(",
        ")",
        "{",
        "}",
        "$(",
        "`",
        "'",
        '"',
        "\\",
        "<<E\n",
        "E\n",
        "$x",
        "x=1 ",
        "for i in ",
        "; do ",
        "; done",
        "if ",
        "; then ",
        "; fi",
        "case x in ",
        "esac",
        "[[ ",
        " ]]",
        "((",
        "))",
        "sh -c ",
        "eval ",
        "env ",
        "xargs ",
        "find . -exec ",
        "#",
        "~",
        "*",
        "<(",
        ">",
        "2>&1",
        "$'",
        "\0",
    ]
)
LINES = st.lists(TOKENS, max_size=12).map("".join) | st.text(max_size=40)


@pytest.mark.parametrize(
    ("line", "argvs"),
    [
        ("git log", [("git", "log")]),
        ("a 'b c' \"d e\"f \\g $'h\\ti' ''", [("a", "b c", "d ef", "g", "h\ti", "")]),
        ("a $x *.py {b,c} ~ ~/d {} \\*", [("a", None, None, None, None, "~/d", "{}", "*")]),
        ('a "b$" "\\$c" "d\\e"', [("a", "b$", "$c", "d\\e")]),
        ("a | b && c; d & e", [("a",), ("b",), ("c",), ("d",), ("e",)]),
        ("a $(b `c`) <(d)", [("a", None, None), ("b", None), ("c",), ("d",)]),
        ("if a; then b; elif c; then d; else e; fi", [("a",), ("b",), ("c",), ("d",), ("e",)]),
        ("X=1 Y=$(a) b", [("b",), ("a",)]),
        ("X=1", [()]),
        ("export A=b", [("export", None)]),
        ("[[ -n a ]]", [("[[", None)]),
        ("env -i A=1 b c", [("env", "-i", "A=1", "b", "c"), ("b", "c")]),
        ("sudo sh -c 'a; b'", [("sudo", "sh", "-c", "a; b"), ("sh", "-c", "a; b"), ("a",), ("b",)]),
        (
            "find . -exec a {} + -exec b ';'",
            [("find", ".", "-exec", "a", "{}", "+", "-exec", "b", ";"), ("a", None), ("b",)],
        ),
        ("xargs -n 1 a b", [("xargs", "-n", "1", "a", "b"), ("a", "b", None)]),
        ("", []),
    ],
)
def test_commands_of_a_line(line, argvs):
    parsed = parse_command_line(line)
    assert [command.argv for command in parsed.commands] == argvs
    assert not parsed.opaque, parsed.why


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("a b", {}),
        ("X=1 PATH=/x a", {"assignments": ("X", "PATH")}),
        ("a > b", {"redirects_to_file": True}),
        ("a > /dev/null 2>&1", {}),
        ("a $x", {"expands": True}),
        ("a <<<$x", {"expands": True}),
        ("nice a", {"wraps": True}),
    ],
)
def test_flags_of_a_command(line, flags):
    first = parse_command_line(line).commands[0]
    assert first == SimpleCommand(first.argv, **flags)
    assert first.as_written is (not flags)


def test_inner_commands_say_so():
    outer, inner = parse_command_line("nice a > b").commands
    assert (outer.wraps, outer.via_wrapper, inner.wraps, inner.via_wrapper) == (True, False, False, True)
    assert inner.redirects_to_file


@pytest.mark.parametrize(
    ("argv", "inner"),
    [
        (("timeout", "-k", "5", "10", "a", "b"), ("a", "b")),
        (("timeout", "--signal=KILL", "10", "a"), ("a",)),
        (("env", "-u", "X", "--", "A=1", "a"), ("a",)),
        (("nice", "-5", "a"), ("a",)),
        (("nice", "-n5", "a"), ("a",)),
        (("sudo", "-u", "root", "X=1", "a"), ("a",)),
        (("xargs", "-0n1", "a"), ("a", None)),
        (("xargs", "-I", "%", "a", "x%"), ("a", None, None)),
        (("exec", "-cl", "a"), ("a",)),
        (("chroot", "--userspec=u", "/r", "a"), ("a",)),
        (("busybox", "a", "b"), ("a", "b")),
    ],
)
def test_wrappers(argv, inner):
    found = unwrap(argv)
    assert found is not None
    assert (found.argvs, found.opaque) == ((inner,), "")


@pytest.mark.parametrize(
    "argv",
    [
        ("env",),
        ("env", "A=1"),
        ("timeout", "5"),
        ("sudo", "--version"),
        ("command", "-v", "a"),
        ("find", ".", "-name", "x"),
        ("bash", "script.sh", "-c"),
        ("trap", "-", "INT"),
        ("alias",),
        ("hash", "-r"),
        ("printf", "$(a)"),
        ("git", "-c"),
    ],
)
def test_no_wrappers(argv):
    assert unwrap(argv) is None


@pytest.mark.parametrize(
    "argv",
    [
        ("env", None, "a"),
        ("env", "-S", "a b"),
        ("sudo", "--unknown", "a"),
        ("timeout", None, "a"),
        ("bash", "-c", None),
        ("bash", "-s"),
        ("bash",),
        ("bash", "/dev/fd/63"),
        ("bash", None),
        ("eval", None),
        ("fd", "-xcurl"),
        ("ld-linux.so.2", "--preload", "x", "a"),
        ("mapfile", "-C", "a"),
        ("printf", "-v", "a[$(b)]", "x"),
    ],
)
def test_wrappers_that_cannot_be_read(argv):
    found = unwrap(argv)
    assert found is not None
    assert found.opaque


@settings(deadline=None, max_examples=300)
@given(LINES)
def test_every_line_is_judged(line):
    parsed = parse_command_line(line)
    assert parsed.opaque == bool(parsed.why)
    judged = judge_command(line, **RULES, default="deny")
    if judged.effect == "allow":
        assert not parsed.opaque
        assert all(command.as_written for command in parsed.commands)
        assert {command.argv[0] for command in parsed.commands} <= {"git", "ls"}


@settings(deadline=None, max_examples=300)
@given(LINES, st.sampled_from([";", "\n", " && ", " | "]))
def test_a_denied_command_in_a_list_is_denied(line, joint):
    assert judge_command(f"curl x{joint}{line}", **RULES, default="allow").effect == "deny"


@settings(deadline=None, max_examples=200)
@given(LINES)
def test_restricting_rules_never_loosen(line):
    allow, ask, deny = RULES.values()
    free = judge_command(line, allow=allow, ask=(), deny=(), default="allow").effect
    asked = judge_command(line, allow=allow, ask=ask, deny=(), default="allow").effect
    denied = judge_command(line, allow=allow, ask=ask, deny=deny, default="allow").effect
    assert free.strictness <= asked.strictness <= denied.strictness


HOSTILE = [
    "(",
    "a&&",
    "env ",
    "eval ",
    "`",
    "$(",
    "ls;",
    "ls|",
    "{",
    "a\n",
    "$x ",
    "if ls; then ",
    "${x:-",
    "<<E ",
    "[[ ",
]


@pytest.mark.parametrize("unit", [*HOSTILE, "() ", "'a' ", ">a ", "bash -c ", "cat <<E\nx\nE\n"])
def test_a_hostile_line_is_judged_in_bounded_time(unit):
    line = "ls " + unit * (MAX_LINE // len(unit) - 3)
    start = time.process_time()
    judged = judge_command(line, **RULES, default="deny")
    # A bound against quadratic time (which takes minutes here), not a measurement.
    assert time.process_time() - start < 20
    assert judged.effect == "deny"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ls " + "a" * MAX_LINE, "longer than"),
        ("ls \0", "NUL"),
        ("ls \ud800", "not Unicode"),
        ("( " * 300 + "ls" + ")" * 300, "nested too deeply"),
        ("( " * 60 + "eval '" + "( " * 60 + "ls" + ")" * 60 + "'" + ")" * 60, "nested too deeply"),
        ("eval " * 30 + "ls", "wrappers are nested too deeply"),
        ("env " * 30 + "ls", "wrappers are nested too deeply"),
    ],
)
def test_limits(line, why):
    parsed = parse_command_line(line)
    assert parsed.opaque
    assert why in parsed.why
