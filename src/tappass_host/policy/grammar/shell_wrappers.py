"""Programs that run what their arguments name, and how to find it: for deny and ask, which look through.

Options are known by table. An unknown option, or a word that is not literal in front of the inner
command, makes the line opaque: guessing where the command begins would be guessing what runs.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from tappass_host.policy.grammar.commands import Argv, base_name


class Inner(NamedTuple):
    """What a wrapper runs: argvs, scripts to parse, and why it cannot be told (empty if it can)."""

    argvs: tuple[Argv, ...] = ()
    scripts: tuple[str, ...] = ()
    opaque: str = ""


class Options(NamedTuple):
    """The command line of a wrapper up to the command it runs."""

    flags: str = ""
    valued: str = ""
    attached: str = ""  # options whose value, if any, is in the same word
    long_flags: str = ""
    long_valued: str = ""
    operands: int = 0
    assignments: bool = False


# Option tables from the manual pages of coreutils 9.7, sudo 1.9.16, doas 6.8, util-linux 2.41,
# findutils 4.10, procps 4.0, GNU time 1.9 and the Bash 5.3 manual (2025-11).
_PREFIXES: dict[str, Options] = {
    "builtin": Options(),
    "chroot": Options(long_flags="skip-chdir", long_valued="groups userspec", operands=1),
    "chrt": Options("abdfimoprRv", "DPT", operands=1),
    "command": Options("p"),
    "doas": Options("nL", "uC"),
    "env": Options(
        "i0v-", "uC", "", "ignore-environment null debug", "unset chdir block-signal", assignments=True
    ),
    "exec": Options("cl", "a"),
    "fakeroot": Options("u", "ls"),
    "ionice": Options("t", "cnpPu", "", "ignore", "class classdata"),
    "linux32": Options("vR"),
    "linux64": Options("vR"),
    "ltrace": Options("fcCiSrtT", "aeosnpuxl"),
    "nice": Options("0123456789-", "n", "", "", "adjustment"),
    "nohup": Options(),
    "numactl": Options("", "", "", "localalloc all", "interleave membind cpunodebind physcpubind preferred"),
    "prlimit": Options("", "", "cdefilmnqrstuvxy"),
    "proot": Options("0", "rbqwRS"),
    "setarch": Options("vR", operands=1),
    "setpriv": Options(
        "", "", "", "clear-groups init-groups keep-groups no-new-privs reset-env", "reuid regid"
    ),
    "setsid": Options("cfw", "", "", "ctty fork wait"),
    "stdbuf": Options("", "ioe", "", "", "input output error"),
    "strace": Options("fFcCdhiknqrtTvVxyYzZ", "abeEIoOpPsSuUX"),
    "sudo": Options(
        "AbEHiknPSs",
        "CDghpRrTtUu",
        "",
        "askpass background preserve-env set-home login non-interactive preserve-groups stdin shell",
        "close-from chdir group host prompt chroot role command-timeout type other-user user",
        assignments=True,
    ),
    "taskset": Options("ac", operands=1),
    "time": Options("pvaq", "fo", "", "portability verbose append quiet", "format output"),
    "timeout": Options(
        "fpv", "ks", "", "foreground preserve-status verbose", "kill-after signal", operands=1
    ),
    "unbuffer": Options("p"),
    "unshare": Options(
        "mpnuiUCTrcf", "SGRw", "", "mount pid net uts ipc user cgroup time fork map-root-user"
    ),
    "xargs": Options(
        "0rtpxo",
        "adEILnPs",
        "eil",
        "null no-run-if-empty verbose interactive exit open-tty replace eof max-lines",
        "arg-file delimiter max-args max-procs max-chars process-slot-var",
    ),
}
_PREFIXES |= {"eatmydata": Options(), "gnutime": _PREFIXES["time"], "gtimeout": _PREFIXES["timeout"]}
# Precommand modifiers of zsh 5.9, which runs the line where it is the user's shell.
_PREFIXES |= {"-": Options(), "nocorrect": Options(), "noglob": Options(), "repeat": Options(operands=1)}

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ksh93", "mksh", "ash", "rbash", "fish"})
# Their syntax differs too much to be read as that of bash.
_FOREIGN = frozenset({"zsh", "fish"})
_SHELL_FLAGS = frozenset(
    (
        "--login",
        "--norc",
        "--noprofile",
        "--posix",
        "--restricted",
        "--verbose",
        "--noediting",
        "--debugger",
        "--no-config",
    )
)
_SHELL_VALUED = frozenset({"--rcfile", "--init-file"})
# A first word with which the program runs nothing.
_HELP = frozenset({"--help", "--version"})
_QUERIES = {"command": frozenset({"-v", "-V"})}
_FIND_EXEC = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_FD_EXEC = frozenset({"-x", "-X", "--exec", "--exec-batch"})
# A file operand that is no file with a name of its own.
_STREAM = re.compile(r"-|/dev/(?:stdin|fd/.*|tcp/.*|udp/.*)|/proc/.*")
# They take a command as text in ways not worth a table, or make a name mean something else.
_UNREADABLE = frozenset(
    (
        "parallel",
        "sem",
        "coproc",
        "su",
        "runuser",
        "script",
        "flock",
        "csh",
        "tcsh",
        "pwsh",
        "fc",
    )
)
# Builtins with an option that runs a text or rebinds a name.
_RUNNING_OPTION = {
    "hash": "p",
    "enable": "f",
    "mapfile": "C",
    "readarray": "C",
    "compgen": "CF",
    "complete": "CF",
    "bind": "xf",
}
# They evaluate arguments as arithmetic, where a subscript may hold a substitution even inside quotes.
_ARITHMETIC = frozenset(
    (
        "let",
        "test",
        "[",
        "[[",
        "((",
        "printf",
        "read",
        "unset",
        "declare",
        "typeset",
        "local",
        "export",
        "readonly",
        "wait",
    )
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=", re.ASCII)
_LOADER = re.compile(r"ld(?:-linux|-musl|64)?[\w.-]*\.so(?:\.\d+)?", re.ASCII)


def unwrap(argv: Argv) -> Inner | None:
    """Say what else this command runs; None if it is no wrapper."""
    program = base_name(argv[0] or "")
    if program in _UNREADABLE:
        return Inner(opaque=f"{program} takes its command as text")
    if program in _ARITHMETIC and hides_code(argv[1:]) and (program != "printf" or argv[1] == "-v"):
        return Inner(opaque=f"{program} may evaluate a substitution inside quotes")
    if program in _RUNNING_OPTION:
        return _builtin(program, argv)
    if argv[1:] and argv[1] in _QUERIES.get(program, _HELP):
        return None
    if program in _SHELLS:
        return _shell(argv)
    if program in _PREFIXES:
        return _prefixed(program, argv)
    special = _loader if _LOADER.fullmatch(program) else _SPECIAL.get(program)
    return None if special is None else special(argv)


def hides_code(words: Argv) -> bool:
    """Tell whether a literal word holds a substitution that a second evaluation would run."""
    return any(word is not None and ("$(" in word or "`" in word) for word in words)


def _prefixed(program: str, argv: Argv) -> Inner | None:
    at = _command_at(argv, _PREFIXES[program])
    if at is None:
        return Inner(opaque=f"options of {program} that hide its command")
    if at >= len(argv):
        return None
    return Inner((_with_input(argv, at) if program == "xargs" else argv[at:],))


def _command_at(argv: Argv, options: Options) -> int | None:
    """Find the word where the inner command begins; None where it cannot be told."""
    at = 1
    while at < len(argv):
        word = argv[at]
        if word is None:
            return None
        if word == "--":
            at += 1
            break
        step = _option(word, options)
        if step is None:
            return None
        if step == 0:
            break
        at += step
    while options.assignments and at < len(argv) and "=" in (argv[at] or ""):
        if not _ASSIGNMENT.match(argv[at] or ""):  # programs differ on what else sets a variable
            return None
        at += 1
    at += options.operands
    return None if None in argv[1:at] else at


def _option(word: str, options: Options) -> int | None:
    """Return how many words this option takes: 0 if it is none, None if it is unknown."""
    if word == "-":
        return 1 if "-" in options.flags else 0
    if not word.startswith("-"):
        return 0
    if word.startswith("--"):
        name, _, value = word[2:].partition("=")
        if name in options.long_valued.split():
            return 1 if value else 2
        return 1 if name in options.long_flags.split() else None
    for place, letter in enumerate(word[1:], 2):
        if letter in options.attached:
            return 1
        if letter in options.valued:
            return 1 if place < len(word) else 2
        if letter not in options.flags:
            return None
    return 1


def _with_input(argv: Argv, at: int) -> Argv:
    """The command of xargs: words come from its input, appended or in place of the marker of -I."""
    markers = {"{}"}
    for place, word in enumerate(argv[1:at], 1):
        found = re.fullmatch(r"-[a-zA-Z0]*[Ii](.*)", word or "")
        if found:
            markers.add(found[1] or argv[place + 1] or "{}")
    return (*(_unless(word, markers) for word in argv[at:]), None)


def _unless(word: str | None, markers: set[str]) -> str | None:
    return None if word is None or any(marker in word for marker in markers) else word


def _shell(argv: Argv) -> Inner | None:
    at, script = 1, False
    while at < len(argv):
        word = argv[at]
        if word is None:
            return Inner(opaque="a shell whose options are computed")
        if word in ("-", "--"):
            at += 1
            break
        if word.startswith("--"):
            if word not in _SHELL_FLAGS | _SHELL_VALUED:
                return Inner(opaque="a shell with unknown options")
            at += 2 if word in _SHELL_VALUED else 1
        elif word[:1] in ("-", "+") and len(word) > 1:
            script = script or (word[0] == "-" and "c" in word)
            if word[0] == "-" and "s" in word:
                return Inner(opaque="a shell that reads its input")
            at += 1 + word.count("o") + word.count("O")
        else:
            break
    return _script(argv, at) if script else _file(argv, at)


def _script(argv: Argv, at: int) -> Inner:
    text = argv[at] if at < len(argv) else None
    if text is None or None in argv[1:at]:
        return Inner(opaque="a shell script that is computed")
    foreign = "a script in the language of another shell" if base_name(argv[0] or "") in _FOREIGN else ""
    return Inner(scripts=(text,), opaque=foreign)


def _file(argv: Argv, at: int) -> Inner | None:
    """A shell runs the file it is given: then the rule is about the line, as for any interpreter."""
    name = argv[at] if at < len(argv) else None
    if name is None or None in argv[1:at] or _STREAM.fullmatch(name):
        return Inner(opaque="a shell that reads its input")
    return None


def _source(argv: Argv) -> Inner | None:
    return _file(argv, 2 if argv[1:2] == ("--",) else 1)


def _eval(argv: Argv) -> Inner | None:
    words = argv[2:] if argv[1:2] == ("--",) else argv[1:]
    if None in words:
        return Inner(opaque="eval of a computed text")
    return Inner(scripts=(" ".join(word or "" for word in words),)) if words else None


def _watch(argv: Argv) -> Inner | None:
    options = Options("bcdegtwxC", "nqs", "", "beep color errexit chgexit no-title exec", "interval")
    at = _command_at(argv, options)
    if at is None or None in argv[at:]:
        return Inner(opaque="watch of a computed command")
    return Inner(scripts=(" ".join(word or "" for word in argv[at:]),)) if at < len(argv) else None


def _trap(argv: Argv) -> Inner | None:
    words = argv[2:] if argv[1:2] == ("--",) else argv[1:]
    if None in words[:1]:
        return Inner(opaque="trap with a computed command")
    text = words[0] if words else None
    return Inner(scripts=(text,)) if text and not text.startswith("-") else None


def _alias(argv: Argv) -> Inner | None:
    if any(word is None or "=" in word for word in argv[1:]):
        return Inner(opaque="alias makes a name mean something else")
    return None


def _builtin(program: str, argv: Argv) -> Inner | None:
    letters = _RUNNING_OPTION[program]
    for word in argv[1:]:
        if word is None or (word.startswith("-") and any(letter in word for letter in letters)):
            return Inner(opaque=f"{program} may run a text or rebind a name")
    return None


def _busybox(argv: Argv) -> Inner | None:
    if len(argv) == 1 or (argv[1] or "").startswith("--"):
        return None
    return Inner((argv[1:],))


def _loader(argv: Argv) -> Inner | None:
    if not argv[1:]:
        return None
    if argv[1] is None or argv[1].startswith("-"):
        return Inner(opaque="a program loader with options")
    return Inner((argv[1:],))


def _fd(argv: Argv) -> Inner | None:
    if any(re.fullmatch(r"-[A-Za-z]+[xX].*|-[xX].+|--exec.*=.*", word or "") for word in argv[1:]):
        return Inner(opaque="fd with its command inside an option")
    return _exec_words(argv, _FD_EXEC, {"{"})


def _exec_words(argv: Argv, words: frozenset[str], markers: set[str]) -> Inner | None:
    if None in argv:
        return Inner(opaque=f"{argv[0]} with computed words that may name a command")
    found: list[Argv] = []
    start = None
    for at, word in enumerate((*argv, ";")):
        if start is None and word in words:
            start = at + 1
        elif start is not None and (word == ";" or (word == "+" and argv[at - 1] == "{}")):
            found.append(tuple(_unless(w, markers) for w in argv[start:at]))
            start = None
    return Inner(tuple(argv for argv in found if argv)) if found else None


_SPECIAL: dict[str, Callable[[Argv], Inner | None]] = {
    ".": _source,
    "alias": _alias,
    "busybox": _busybox,
    "eval": _eval,
    "fd": _fd,
    "fdfind": _fd,
    "find": lambda argv: _exec_words(argv, _FIND_EXEC, {"{}"}),
    "source": _source,
    "toybox": _busybox,
    "trap": _trap,
    "watch": _watch,
}
