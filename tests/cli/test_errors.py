"""Refusals: where they are printed, what they name, and the exit codes."""

import json

import click
import pytest

from tappass_host.cli import errors
from tappass_host.cli.errors import problem_of
from tappass_host.policy import errors as e


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (e.CascadeViolationError("x"), "cascade-violation", 2),
        (e.WireError("x"), "wire", 2),
        (e.RecipeError("x"), "recipe", 2),
        (e.SignatureError("x"), "signature", 3),
        (e.RollbackError("x"), "rollback", 3),
        (e.EquivocationError("x"), "equivocation", 3),
        (e.RuntimeDigestError("x"), "runtime-digest", 3),
        (e.MissingTargetError("x"), "missing-target", 4),
        (click.UsageError("Missing option."), "usage", 2),
        (RuntimeError("x"), "internal", 5),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_code_and_exit_code(error, code, exit_code):
    problem = problem_of(error)
    assert (problem.code, problem.exit_code) == (code, exit_code)


@pytest.mark.parametrize(
    ("source", "file", "line", "column"),
    [
        ("org.yaml:12:5", "org.yaml", 12, 5),
        ("org.yaml:12", "org.yaml", 12, 0),
        ("org.yaml", "org.yaml", 0, 0),
        ("C:/a:b/org.yaml:3:1", "C:/a:b/org.yaml", 3, 1),
        ("preset:full.yaml:3:1", "preset:full.yaml", 3, 1),
        ("--action", "--action", 0, 0),
        ("", "", 0, 0),
    ],
)
def test_the_place_is_taken_apart(source, file, line, column):
    problem = problem_of(e.PolicyError("x", source=source))
    assert (problem.file, problem.line, problem.column) == (file, line, column)
    assert problem.place == source


def test_text_names_place_field_and_remedy_on_stderr(run, sources):
    agent = sources / "agent.yaml"
    agent.write_text(agent.read_text().replace("docs.example.com", "evil.net"))
    ran = run("policy", "compile", "--out", "compiled.json")
    assert ran.code == 2
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert lines[0].startswith(
        "error    allow lists may only shrink: level agent coder says network.allow_domains["
    )
    assert lines[1] == "  at     agent.yaml:4:19"
    assert lines[2].startswith("  remedy ask the owners of org acme")
    assert not (sources / "compiled.json").exists()


def test_text_names_the_field_of_a_document(run, compiled, sources):
    bad = (sources / compiled).read_text().replace('"docs.example.com"\n', "7\n")
    (sources / "bad.json").write_text(bad)
    line = bad.splitlines().index("      7") + 1
    ran = run("policy", "show", "bad.json")
    assert ran.code == 2
    assert ran.err.splitlines()[1:] == [f"  at     bad.json:{line}:7", "  field  /network/allow_domains/0"]


def test_json_carries_the_same_on_stderr(run, sources):
    (sources / "agent.yaml").write_text("level: agent\nid: coder\nnetwrk: {}\n")
    ran = run("policy", "compile", "--json")
    assert ran.code == 2
    assert ran.out == ""
    assert ran.error == {
        "code": "schema",
        "message": "unknown field 'netwrk'",
        "file": "agent.yaml",
        "line": 3,
        "column": 1,
        "pointer": "",
        "remedy": "did you mean network?",
    }


def test_a_defect_is_said_to_be_one(run, monkeypatch, compiled):
    monkeypatch.setattr("tappass_host.cli.policy_show.load_policy", lambda _path: 1 / 0)
    ran = run("policy", "show", compiled)
    assert ran.code == 5
    assert ran.err.startswith("error    ZeroDivisionError: division by zero\n")
    assert "--debug" in ran.err
    assert "Traceback" not in ran.err
    assert "Traceback" in run("policy", "show", compiled, "--debug").err


def test_what_a_document_says_cannot_garble_the_terminal(run, sources):
    (sources / "agent.yaml").write_text('level: agent\nid: coder\n"net\\u001b[31m\\u202ework": {}\n')
    ran = run("policy", "compile")
    assert ran.code == 2
    assert "\x1b" not in ran.err
    assert "\u202e" not in ran.err


def test_a_reader_that_has_seen_enough_is_no_error(process, compiled):
    import subprocess
    import sys

    argv = [sys.executable, "-m", "tappass_host.cli.main", "policy", "schema"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read(1)
        child.stdout.close()
        assert child.stderr is not None
        assert child.stderr.read() == b""
        assert child.wait(timeout=60) in (0, 141)


def test_ctrl_c_ends_with_130(run, monkeypatch, compiled):
    def interrupt(_path):
        raise KeyboardInterrupt

    monkeypatch.setattr("tappass_host.cli.policy_show.load_policy", interrupt)
    ran = run("policy", "show", compiled)
    assert (ran.code, ran.err) == (130, "\ninterrupted\n")


def test_every_code_that_can_happen_is_documented():
    kinds = [kind for kind in vars(e).values() if isinstance(kind, type) and issubclass(kind, e.TappassError)]
    assert {kind.exit_code for kind in kinds} <= set(errors.EXIT_CODES)


def test_json_is_one_line_that_any_reader_takes(capsys):
    assert errors.report(e.PolicyError("a\nb", source="x:1:2"), ["--json"]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["message"] == "a\nb"
