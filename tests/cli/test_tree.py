"""The command tree as a newcomer meets it: help, examples, verbs that do not exist, start-up."""

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from tappass_host import __version__
from tappass_host.cli.errors import EXIT_CODES
from tappass_host.cli.root import build
from tappass_host.cli.tree import Verb, Verbs


def _walk(group: Verbs, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command, str]]:
    for name, entry in group.table.items():
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield (*path, name), command, entry.summary
        if isinstance(command, Verbs):
            yield from _walk(command, (*path, name))


TREE = list(_walk(build()))
LEAVES = [(path, command) for path, command, _ in TREE if isinstance(command, Verb)]


def _name(value):
    return " ".join(value) if isinstance(value, tuple) else ""


@pytest.mark.parametrize(("path", "command", "summary"), TREE, ids=_name)
def test_every_verb_is_called_what_the_table_says(path, command, summary):
    assert command.name == path[-1]
    assert summary[0].isupper()
    assert not summary.endswith(".")
    assert len(summary) <= 62


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=_name)
def test_every_verb_explains_itself(run, path, command):
    ran = run(*path, "--help")
    assert ran.code == 0
    assert "Examples:" in ran.out
    assert "--json" in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    assert run(*path, "-h").out == ran.out
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name
            assert option.help.endswith("."), option.help


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=_name)
def test_examples_only_use_options_that_exist(path, command):
    options = {text for option in command.params for text in (*option.opts, *option.secondary_opts)}
    for example in command.examples:
        assert f"tappass {' '.join(path)}" in example
        used = re.findall(r"(?<![\w'])--?[a-z][a-z-]*", example.partition("tappass")[2])
        own = [flag for flag in used if flag.startswith("--")]
        assert set(own) <= options | {"--help"}, example


def test_groups_list_their_verbs_without_importing_them():
    code = (
        "import sys\n"
        "from tappass_host.cli.root import run\n"
        "assert run(['--help']) == 0 and run(['policy', '--help']) == 0\n"
        "loaded = [n for n in sys.modules if n.startswith('tappass_host.cli.') and n.endswith('_cmd')]\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


HEAVY = ("asyncio", "aiohttp", "tree_sitter", "re2", "cryptography", "yaml", "importlib.metadata", "pytest")


@pytest.mark.parametrize(
    ("args", "allowed"),
    [
        (["--version"], ()),
        (["--help"], ()),
        (["policy", "show", "compiled.json"], ()),
        (["policy", "decide", "compiled.json", "--connect", "a.example.com"], ()),
        (["policy", "compile"], ("yaml",)),
        (["verify", "policy.dsse.json"], ("cryptography",)),
    ],
    ids=lambda value: " ".join(value) or "nothing",
)
def test_a_verb_imports_nothing_heavy_that_it_does_not_use(signed, args, allowed):
    code = (
        "import sys\n"
        f"sys.argv = ['tappass', *{args!r}]\n"
        "from tappass_host.cli.main import main\n"
        "assert main() == 0\n"
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    loaded = done.stderr.splitlines()[-1].split()
    assert set(loaded) <= set(allowed)


def test_version_needs_no_parser():
    code = "import sys; sys.argv = ['tappass', '--version']; from tappass_host.cli.main import main; main()"
    check = "; assert 'click' not in sys.modules and 'msgspec' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code + check], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == f"tappass {__version__}\n"


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        (["polcy"], "did you mean 'policy'?"),
        (["policy", "dif"], "did you mean 'diff'?"),
        (["provider", "xyzzy"], "there is list, show, matrix"),
        (["policy", "show", "x", "--aspct", "network"], "--aspect"),
    ],
    ids=str,
)
def test_a_verb_that_does_not_exist_is_guessed(run, args, meant):
    ran = run(*args)
    assert ran.code == 2
    assert ran.out == ""
    assert meant in ran.err
    assert "--help" in ran.err


@pytest.mark.parametrize("args", [[], ["policy"], ["key"]], ids=str)
def test_a_group_alone_shows_its_help_and_fails(run, args):
    ran = run(*args)
    assert ran.code == 2
    assert "Usage: tappass" in ran.err


def test_the_root_documents_every_exit_code(run):
    text = " ".join(run("--help").out.split())
    assert all(f"{code} {what}" in text for code, what in EXIT_CODES.items())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(run, shell):
    ran = run("completion", shell)
    assert ran.code == 0
    assert "_TAPPASS_COMPLETE" in ran.out
    assert run("completion", shell, "--json").json["shell"] == shell


def test_completion_answers_the_shell(process):
    ran = process(_TAPPASS_COMPLETE="bash_complete", COMP_WORDS="tappass policy re", COMP_CWORD="2")
    assert {line.partition(",")[2] for line in ran.out.splitlines()} == {"renew", "revert"}
