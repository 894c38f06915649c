"""Tables, colour and progress, on a terminal and in a pipe."""

import io
import os
import pty
import re
import subprocess
import sys

import pytest

from tappass_host.cli import output
from tappass_host.cli.output import Out, clean


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Call it in the test: pytest puts its own streams in place after fixtures have run."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")

    def install():
        streams = Terminal(), Terminal()
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        return streams

    return install


ROWS = [
    ("a", "deny", "a reason that is long enough to need a second line on such a terminal"),
    ("bbb", "x", "y"),
]


def test_a_table_in_a_pipe_keeps_each_row_on_a_line(capsys):
    Out().table(ROWS, ("ID", "VERDICT", "WHY"))
    assert capsys.readouterr().out.splitlines() == [
        "ID   VERDICT  WHY",
        f"a    deny     {ROWS[0][2]}",
        "bbb  x        y",
    ]


def test_a_table_on_a_terminal_wraps_its_last_column(terminal):
    out, _ = terminal()
    Out().table(ROWS, indent=2)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
    assert len(lines) == 3
    assert all(len(line) <= 60 for line in lines)
    assert lines[1].startswith(" " * 13)


def test_an_empty_table_prints_nothing(capsys):
    Out().table([], ("ID", "WHY"))
    assert capsys.readouterr().out == ""


def test_colour_on_a_terminal(terminal):
    out, _ = terminal()
    Out().table([("x", "deny", "y")])
    assert "\x1b[31mdeny\x1b[0m" in out.getvalue()


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colour_where_it_is_not_wanted(terminal, monkeypatch, name, value):
    out, _ = terminal()
    monkeypatch.setenv(name, value)
    Out().table([("x", "deny", "y")])
    assert "\x1b" not in out.getvalue()


def test_no_colour_in_a_pipe(capsys):
    Out().status("ok", "done", "ok")
    assert capsys.readouterr().out == "ok        done  ok\n"


def test_a_state_stands_at_the_right_edge_of_a_terminal(terminal, monkeypatch):
    out, _ = terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    Out().status("policy", "acme", "ok")
    assert out.getvalue() == "policy".ljust(10) + "acme".ljust(48) + "ok\n"


def test_a_long_status_wraps_beside_its_word(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    out, _ = terminal()
    Out().status("render", "claude-code 2.1.330, bubblewrap 0.8.0, monty 1.4 -> 11 files in out", "ok")
    assert out.getvalue().splitlines() == [
        "render    claude-code 2.1.330, bubblewrap 0.8.0, monty",
        "          1.4 -> 11 files in out                          ok",
    ]


def test_json_says_nothing_else(capsys):
    out = Out(as_json=True)
    out.note("beside")
    with out.progress("compiling") as progress:
        progress.announce("x")
    out.result(lambda: {"a": 1}, lambda: out.line("text"))
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ('{\n  "a": 1\n}\n', "")


def test_json_escapes_what_garbles_a_terminal(capsys):
    Out(as_json=True).document({"a": "x\u202ey\x1b\U000e0001é"})
    out = capsys.readouterr().out
    assert "\\u202e" in out
    assert "\\udb40\\udc01" in out
    assert "é" in out
    import json

    assert json.loads(out) == {"a": "x\u202ey\x1b\U000e0001é"}


@pytest.mark.parametrize(
    ("text", "shown"), [("plain é", "plain é"), ("a\x1b[0m", "a\\x1b[0m"), ("a\u202eb\n", "a\\u202eb\\n")]
)
def test_clean(text, shown):
    assert clean(text) == shown


def test_short_work_shows_no_progress(terminal):
    _, err = terminal()
    with Out().progress("prove", 2) as progress:
        progress.step("one")
    assert err.getvalue() == ""


def test_progress_on_a_terminal_is_one_line_that_goes_away(terminal, monkeypatch):
    _, err = terminal()
    monkeypatch.setattr(output, "PATIENCE_S", 0.0)
    with Out().progress("prove", 2) as progress:
        progress.step("one")
        progress.step("x" * 200)
    text = err.getvalue()
    assert text.startswith("\r\x1b[Kprove  1/2  one")
    assert text.endswith("\r\x1b[K")
    assert "\n" not in text
    assert max(len(line) for line in re.split(r"\r\x1b\[K", text)) <= 59


def test_progress_in_a_pipe_is_plain_lines(capsys, monkeypatch):
    monkeypatch.setattr(output, "PATIENCE_S", 0.0)
    with Out().progress("prove", 2) as progress:
        progress.step("one")
        progress.step("two")
    assert capsys.readouterr().err == "prove  1/2  one\nprove  2/2  two\n"


def test_help_fits_a_real_terminal_of_80_columns():
    main, other = pty.openpty()
    env = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    argv = [sys.executable, "-m", "tappass_host.cli.main", "--help"]
    child = subprocess.Popen(argv, stdout=other, stderr=other, env=env)
    os.close(other)
    text = b""
    try:
        while chunk := os.read(main, 65536):
            text += chunk
    except OSError:
        pass  # the other end is closed
    finally:
        os.close(main)
    assert child.wait(timeout=60) == 0
    assert b"Exit codes" in text
    assert all(len(line) <= 80 for line in text.decode().splitlines())
