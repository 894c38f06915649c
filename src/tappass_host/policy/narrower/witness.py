"""Example actions: for an entry, something that it is about. Candidates only; `decide` has the last word."""

import shlex

from tappass_host.policy import actions as a
from tappass_host.policy.grammar.addresses import CidrRule
from tappass_host.policy.grammar.commands import CommandPattern
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.grammar.paths import PathRule
from tappass_host.policy.grammar.tools import GROUPS, ToolRule

_ANY = "example"


def path_text(rule: PathRule, *, below: str = "") -> str:
    """A path that the rule covers."""
    segments = [s.replace("*", _ANY).replace("?", "x") for s in rule.segments if s != "**"]
    if below:
        segments.append(below)
    root = "" if rule.root in ("/", "") else rule.root
    return root + "/" + "/".join(segments)


def read_and_write(rule: PathRule) -> tuple[a.Action, ...]:
    """Reading and writing what the rule covers."""
    paths = (path_text(rule), path_text(rule, below=_ANY))
    return tuple(a.File(op=op, path=path) for op in ("read", "write") for path in paths)


def connect(rule: DomainRule) -> tuple[a.Action, ...]:
    """Connections to what the rule names."""
    hosts = (f"{_ANY}.{rule.host}", f"a.{_ANY}.{rule.host}") if rule.wildcard else (rule.host,)
    ports = (443, 80, 8443) if rule.port is None else (rule.port,)
    return tuple(a.Connect(host=host, port=port) for host in hosts for port in ports)


def address(rule: CidrRule) -> tuple[a.Action, ...]:
    """Connections into the range."""
    return tuple(
        a.Connect(host=str(rule.network[0]), port=p) for p in ((rule.port,) if rule.port else (443, 80))
    )


def call(rule: ToolRule) -> tuple[a.Action, ...]:
    """Calls that the rule speaks of."""
    names = GROUPS.get(rule.name) or (rule.name,)
    return tuple(action for name in names for action in _calls(name, rule))


def _calls(name: str, rule: ToolRule) -> tuple[a.Action, ...]:
    match rule.spec:
        case CommandPattern() as command:
            return tuple(_bash(line) for line in _lines(command))
        case PathRule() as path:
            return (a.Tool(name=name, args={"path": path_text(path)}),)
        case DomainRule() as domain:
            return tuple(a.Tool(name=name, args={"url": f"https://{_host(c)}/"}) for c in connect(domain))
    return _BARE.get(name) or (a.Tool(name=name),)


def _lines(command: CommandPattern) -> tuple[str, ...]:
    line = shlex.join(command.words)
    return (line, f"{line} {_ANY}") if command.prefix else (line,)


def _bash(line: str) -> a.Action:
    return a.Tool(name="Bash", args={"command": line})


def _host(action: a.Action) -> str:
    assert isinstance(action, a.Connect)
    return action.host if action.port == 443 else f"{action.host}:{action.port}"  # noqa: PLR2004


# Where a tool is governed by another aspect too, several places are tried.
_BARE: dict[str, tuple[a.Action, ...]] = {
    "Bash": (_bash("true"), _bash(f"{_ANY} --run")),
    "Read": tuple(
        a.Tool(name="Read", args={"path": p}) for p in ("${workspace}/x", "/workspace/x", "/usr/x")
    ),
    "Write": tuple(
        a.Tool(name="Write", args={"path": p}) for p in ("${workspace}/x", "/workspace/x", "/srv/x")
    ),
    "WebFetch": (a.Tool(name="WebFetch", args={"url": "https://example.com/"}),),
}
