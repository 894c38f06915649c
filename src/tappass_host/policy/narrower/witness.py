"""Example actions: for an entry, something that it is about. Candidates only; `decide` has the last word."""

import shlex
from collections.abc import Callable, Iterator

import msgspec

from tappass_host.policy import actions as a
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.addresses import CidrRule
from tappass_host.policy.grammar.commands import CommandPattern
from tappass_host.policy.grammar.constraints import Constraint
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


def call(rule: ToolRule, policy: EffectivePolicy) -> tuple[a.Action, ...]:
    """Calls that the rule speaks of, with arguments that the rest of the policy lets through."""
    names = GROUPS.get(rule.name) or (rule.name,)
    return tuple(_constrained(policy, act) for name in names for act in _calls(name, rule, policy))


def _calls(name: str, rule: ToolRule, policy: EffectivePolicy) -> Iterator[a.Tool]:
    match rule.spec:
        case CommandPattern() as command:
            return (_tool("Bash", command=line) for line in _lines(command))
        case PathRule() as path:
            return (_tool(name, path=text) for text in (path_text(path), path_text(path, below=_ANY)))
        case DomainRule() as domain:
            return (_tool(name, url=f"https://{_host(c)}/") for c in connect(domain))
    return _BARE[name](policy) if name in _BARE else iter((_tool(name),))


def _tool(name: str, **args: object) -> a.Tool:
    return a.Tool(name=name, args=args)


def _constrained(policy: EffectivePolicy, act: a.Tool) -> a.Tool:
    """The call with those constrained arguments that it lacks."""
    tools = policy.doc.tools
    constraints = tools.constraints.get(act.name, {}) if tools else {}
    missing = {n: satisfying(c) for n, c in constraints.items() if n not in act.args}
    return msgspec.structs.replace(act, args={**act.args, **missing}) if missing else act


def satisfying(constraint: Constraint) -> object:
    """A value that meets the constraint, as far as one is easily found."""
    if constraint.const is not msgspec.UNSET:
        return constraint.const
    if constraint.one_of:
        return constraint.one_of[0]
    if constraint.range is not None:
        return constraint.range.min if constraint.range.min is not None else constraint.range.max
    return constraint.subpath or _ANY


def _lines(command: CommandPattern) -> tuple[str, ...]:
    line = shlex.join(command.words)
    return (line, f"{line} {_ANY}") if command.prefix else (line,)


def _host(action: a.Action) -> str:
    assert isinstance(action, a.Connect)
    return action.host if action.port == 443 else f"{action.host}:{action.port}"  # noqa: PLR2004


# Where a tool is governed by another aspect too, places that this aspect grants are tried.
def _commands(_policy: EffectivePolicy) -> Iterator[a.Tool]:
    return (_tool("Bash", command=line) for line in ("true", f"{_ANY} --run"))


def _reads(policy: EffectivePolicy) -> Iterator[a.Tool]:
    places = (path_text(grant.path, below=_ANY) for grant in policy.fs.grants)
    return (_tool("Read", path=path) for path in (*places, f"/{_ANY}"))


def _writes(policy: EffectivePolicy) -> Iterator[a.Tool]:
    places = (path_text(g.path, below=_ANY) for g in policy.fs.grants if g.access == "write")
    return (_tool("Write", path=path) for path in (*places, f"/{_ANY}"))


def _fetches(policy: EffectivePolicy) -> Iterator[a.Tool]:
    hosts = (_host(c) for rule in policy.net.allow for c in connect(rule.domain))
    return (_tool("WebFetch", url=f"https://{host}/") for host in (*hosts, "example.com"))


_BARE: dict[str, Callable[[EffectivePolicy], Iterator[a.Tool]]] = {
    "Bash": _commands,
    "Read": _reads,
    "Write": _writes,
    "WebFetch": _fetches,
}
