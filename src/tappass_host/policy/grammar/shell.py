"""What the Bash rules of a policy say about one shell line.

Each command of the line is judged, and the strictest verdict is the line's:
deny or ask if a rule of that kind could mean the command, looking through wrappers and comparing programs
by base name; allow if a rule means the command exactly as written, with no wrapper, assignment, expansion or
redirection to a file (`2>&1` and `/dev/null` reach no file); else the default. An opaque line
takes the strictest verdict that any rule with a spec, or the default, could give. A rule without a spec is
about every line.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tappass_host.policy.effect import Effect
from tappass_host.policy.grammar.commands import Argv, CommandPattern
from tappass_host.policy.grammar.shell_tree import CommandLine, SimpleCommand, parse_command_line
from tappass_host.policy.grammar.tools import ToolRule

__all__ = ["CommandLine", "Judgement", "SimpleCommand", "judge_command", "parse_command_line"]

_SHOWN = 60


class Judgement(NamedTuple):
    """The verdict, the rule that gave it (None: the default), and why in a few words."""

    effect: Effect
    rule: ToolRule | None
    reason: str


class _Rules(NamedTuple):
    allow: tuple[ToolRule, ...]
    ask: tuple[ToolRule, ...]
    deny: tuple[ToolRule, ...]
    default: Effect

    @property
    def fallback(self) -> Judgement:
        """The verdict on what no rule with a spec is about."""
        for effect, rules in ((Effect.DENY, self.deny), (Effect.ASK, self.ask), (Effect.ALLOW, self.allow)):
            for rule in rules:
                if rule.spec is None:
                    return Judgement(effect, rule, f"rule {rule}")
        return Judgement(self.default, None, "no rule is about it")


def judge_command(
    line: CommandLine | str,
    *,
    allow: Iterable[ToolRule],
    ask: Iterable[ToolRule],
    deny: Iterable[ToolRule],
    default: str,
) -> Judgement:
    """Judge a line by the rules that are about Bash; other rules are ignored."""
    rules = _Rules(_about_bash(allow), _about_bash(ask), _about_bash(deny), Effect(default))
    line = parse_command_line(line) if isinstance(line, str) else line
    verdicts = [_opaque(line.why, rules)] if line.opaque else []
    verdicts += [v for command in line.commands if (v := _command(command, rules)) is not None]
    if not verdicts:
        return rules.fallback
    return max(verdicts, key=_strictness)


def _about_bash(rules: Iterable[ToolRule]) -> tuple[ToolRule, ...]:
    return tuple(rule for rule in rules if rule.matches("Bash"))


def _command(command: SimpleCommand, rules: _Rules) -> Judgement | None:
    """Judge one command; None for a wrapper that no rule names: the commands it runs speak for it."""
    shown = _show(command.argv) or "an assignment"
    for rule in rules.deny:
        if rule.spec is None or _pattern(rule).may_match(command.argv):
            return Judgement(Effect.DENY, rule, f"{shown}: rule {rule}")
    behind = _behind_ask(command, rules, shown)
    for rule in rules.ask:
        if rule.spec is None or _pattern(rule).may_match(command.argv):
            asked = Judgement(Effect.ASK, rule, f"{shown}: rule {rule}")
            # An ask that is only possible must not loosen what holds if it does not apply.
            sure = rule.spec is None or _pattern(rule).is_decided_by(command.argv)
            return asked if sure or behind is None else max(behind, asked, key=_strictness)
    return behind


def _behind_ask(command: SimpleCommand, rules: _Rules, shown: str) -> Judgement | None:
    """The verdict of the allow rules and the default."""
    if command.as_written:
        for rule in rules.allow:
            if rule.spec is None or _pattern(rule).matches(command.argv):
                return Judgement(Effect.ALLOW, rule, f"{shown}: rule {rule}")
    if command.wraps:
        return None
    return rules.fallback._replace(reason=f"{shown}: {rules.fallback.reason}")


def _opaque(why: str, rules: _Rules) -> Judgement:
    """The strictest verdict that any rule with a spec, or what is behind them, could give."""
    first = [Judgement(Effect.DENY, r, f"opaque: {why}") for r in rules.deny[:1]]
    second = [Judgement(Effect.ASK, r, f"opaque: {why}") for r in rules.ask[:1]]
    return max([*first, *second, rules.fallback._replace(reason=f"opaque: {why}")], key=_strictness)


def _strictness(judgement: Judgement) -> int:
    return judgement.effect.strictness


def _pattern(rule: ToolRule) -> CommandPattern:
    assert isinstance(rule.spec, CommandPattern), rule
    return rule.spec


def _show(argv: Argv) -> str:
    text = " ".join("?" if word is None else word for word in argv)
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...") if argv else ""
