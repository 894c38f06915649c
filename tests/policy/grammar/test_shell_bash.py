"""The reader against the real bash: every program that bash starts must be one that the reader announced.

Programs on PATH are one recorder under many names, so lines of any content are safe to run.
"""

import random
import shutil
import subprocess

import pytest

from tappass_host.policy.grammar.shell import judge_command, parse_command_line
from tappass_host.policy.grammar.tools import parse_tool

BASH = shutil.which("bash")
SHELL = shutil.which("sh")
pytestmark = pytest.mark.skipif(not BASH or not SHELL, reason="needs bash")

ALLOW = (parse_tool("Bash(git *)"), parse_tool("Bash(ls)"))
DENY = (parse_tool("Bash(curl *)"),)
NAMES = ("git", "ls", "curl", "x", "f")
# Each line once hid a command or a word from the parser, or could.
LINES = [
    "git status; ls",
    "cu\\\nrl x",
    "ls\n\\\ncurl x",
    "git x # \\\ncurl x",
    "git apply <<E x\na\nE",
    "git apply -<<E\na\nE",
    "git apply <<'E'\nE \nE\ncurl x",
    "git <<-E\n\ta\n\tE\ncurl x",
    "git 2>&-x",
    "git >/dev/null x",
    "ls; &> o",
    "git >& 'o$(curl x)'",
    'git 2>& "\\$(curl x)"',
    "git <& \\`curl\\ x\\`",
    ">$ curl x",
    "a=$ curl x",
    "a= curl x",
    "[ -f || curl x ]",
    "[ -f\ncurl x ]",
    "[[ -f x || -f y ]] || curl x",
    "git x<(curl y)",
    "git {x,y} 'a b' \"c\"d $'e\\n' ~+ *",
    "for i in 1 2; do curl $i; done",
    "case x in (x) curl x;; esac",
    "f() { curl x; }; f",
    "env += curl x",
    "env -u A B=1 curl x",
    "sh -c 'curl x; git y'",
    "eval 'cu''rl' x",
    "echo x y | xargs -n 1 curl",
    "find . -exec curl {} ';'",
    "find . -exec git + curl {} ';'",
    "timeout -k 1 5 curl x",
    "nice -n 1 nohup curl x",
    "exec -a git curl x",
    "command curl x",
    "builtin command curl x",
    "trap 'curl x' EXIT",
    "echo curl x | sh",
    "echo ${x:-$(curl x)} $((1 + $(curl y)))",
    "git \"$(curl 'x')\" `curl y`",
    'git "${x:-`curl x`}"',
    "cat <<E\n`curl x` ${x:-$(curl y)}\nE",
    "case x in $(curl x)) ls;; esac",
    "[[ x =~ $(curl x) ]]",
    "a[$(curl x)]=1",
    'git <<<"$(curl x)"',
    "{ curl x; } 2>&1",
    "! curl x",
    "time curl x",
    "coproc curl x; wait",
    "git x |& curl y",
    "true && { ls; } || curl x",
    "c=curl; $c x",
    "cur{l,l} x",
    "$'\\x63url' x",
]
PIECES = [
    "git",
    "ls",
    "curl x",
    " ",
    " ",
    "\n",
    ";",
    "|",
    "&&",
    "(",
    ")",
    "'",
    '"',
    "$(",
    ")",
    "\\",
    "\\\n",
    "$",
    "<<E\n",
]
PIECES += ["\nE\n", "#", "=", "x=", ">", "{", "}", "`", "if ", "; then ", "; fi", "~", "-", "2>&1"]


def generated(count):
    pick = random.Random(7)
    lines = []
    for _ in range(count):
        line = pick.choice(LINES)
        for _ in range(pick.randint(1, 3)):
            at = pick.randint(0, len(line))
            line = line[:at] + pick.choice(PIECES) + line[at + pick.choice([0, 0, 1]) :]
        # A real bash runs these: a redirection that was made up must never reach a path of the machine.
        if not (">" in line and "/" in line):
            lines.append(line)
    return lines


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bin")
    for name in NAMES:
        recorder = folder / name
        # One printf is one write: two programs of a pipeline record at the same time.
        recorder.write_text(f'#!{SHELL}\nprintf "%s\\0" {name} "$@" "\x01" >>"$RECORD"\n')
        recorder.chmod(0o755)
    for name in ("env", "find", "nice", "nohup", "sh", "timeout", "xargs"):
        target = shutil.which(name)
        if target:
            (folder / name).symlink_to(target)
    return folder


def run(line, programs, tmp_path):
    record = tmp_path / "record"
    work = tmp_path / "work"
    work.mkdir()
    env = {"PATH": str(programs), "RECORD": str(record), "HOME": str(work)}
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([BASH, "-c", line], env=env, cwd=work, timeout=10, check=False, **quiet)
    data = record.read_bytes() if record.exists() else b""
    argvs = [tuple(part.decode().split("\0")[:-1]) for part in data.split(b"\1\0")[:-1]]
    return argvs, sorted(path.name for path in work.iterdir())


def announces(argv, found):
    """Tell whether a parsed argv, with None for anything, is what bash ran."""
    known = argv.index(None) if None in argv else len(argv)
    return found[:known] == argv[:known] and (None in argv or len(found) == known)


@pytest.mark.parametrize("line", [*LINES, *generated(80)], ids=repr)
def test_bash_runs_nothing_that_was_not_announced(line, programs, tmp_path):
    parsed = parse_command_line(line)
    found, files = run(line, programs, tmp_path)
    if judge_command(parsed, allow=(), ask=(), deny=DENY, default="allow").effect != "deny":
        assert all(argv[0] != "curl" for argv in found)
    if judge_command(parsed, allow=ALLOW, ask=(), deny=(), default="deny").effect == "allow":
        assert all(argv[0] == "git" or argv == ("ls",) for argv in found)
        assert files == []
    if not parsed.opaque:
        unexpected = [a for a in found if not any(announces(c.argv, a) for c in parsed.commands)]
        assert unexpected == []


def test_the_recorder_records(programs, tmp_path):
    assert run("git 'a b' ''; ls > o", programs, tmp_path) == ([("git", "a b", ""), ("ls",)], ["o"])
