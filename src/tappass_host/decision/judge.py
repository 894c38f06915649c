"""The verdict on all that a call does: the strictest of `decide` over its actions. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from tappass_host.policy import actions as a
from tappass_host.policy.decide import decide
from tappass_host.policy.decide_tools import speaks_of
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy, ToolEntry
from tappass_host.policy.grammar.commands import CommandPattern
from tappass_host.policy.grammar.shell import judge_command

# Calls that neither read nor write files by themselves; what a subagent does is asked about call by call.
_NO_FILES: Final = frozenset({"@internal", "Task", "WebFetch", "WebSearch"})


class Verdict(NamedTuple):
    """Effect, the statement that gave it, why, and whether the harness's own dispatch is managed at all."""

    effect: Effect
    statement: str
    reason: str
    dispatch: bool = True


def judge(
    policy: EffectivePolicy,
    actions: tuple[a.Action, ...],
    *,
    trees: Iterable[str] = (),
    tainted: frozenset[str] = frozenset(),
) -> Verdict:
    """Judge a call.

    Args:
        policy: bound to this sandbox.
        actions: with resolved paths.
        trees: resolved folders that are read whole.
        tainted: labels that are set.
    """
    verdicts = [_one(policy, action, tainted) for action in actions]
    verdicts += _whole_folders(policy, trees)
    return max(verdicts, key=lambda verdict: verdict.effect.strictness)


def _one(policy: EffectivePolicy, action: a.Action, tainted: frozenset[str]) -> Verdict:
    if isinstance(action, a.McpCall):
        for label, entry in policy.tools.tainted:
            if label in tainted and entry.rule.matches(f"mcp__{action.server}__{action.tool}"):
                return Verdict(Effect.DENY, entry.statement, f"tainted by {label}")
    decision = decide(policy, action, tainted=tainted)
    return Verdict(decision.effect, decision.statement, decision.reason, _dispatched(policy, action))


def _dispatched(policy: EffectivePolicy, action: a.Action) -> bool:
    """Whether the aspect that lets a tool be called at all is managed: files and hosts may still not be."""
    if isinstance(action, a.McpCall):
        return policy.doc.mcp is not None
    return policy.doc.tools is not None


def _whole_folders(policy: EffectivePolicy, trees: Iterable[str]) -> Iterator[Verdict]:
    """Reading a folder whole reads what is denied somewhere below it."""
    for tree in trees:
        below = tree.rstrip("/") + "/"
        for rule in policy.fs.denies:
            anchor = rule.path.anchor.rstrip("/") + "/"
            if anchor.startswith(below) or below.startswith(anchor):
                yield Verdict(Effect.DENY, rule.statement, f"{rule.path} lies below {tree}")
                return


def sources(policy: EffectivePolicy, actions: tuple[a.Action, ...]) -> frozenset[str]:
    """The labels that a call sets."""
    return frozenset(
        label for label, entry in policy.tools.sources if any(_is_source(entry, action) for action in actions)
    )


def _is_source(entry: ToolEntry, action: a.Action) -> bool:
    match action:
        case a.McpCall():
            return entry.rule.matches(f"mcp__{action.server}__{action.tool}")
        case a.Tool(name="Bash") if isinstance(entry.rule.spec, CommandPattern):
            # A rule is about a line as a deny of it would be: through wrappers, and where it is opaque.
            line = str(action.args.get("command", ""))
            judged = judge_command(line, allow=(), ask=(), deny=(entry.rule,), default="allow")
            return judged.effect is Effect.DENY
        case a.Tool():
            return speaks_of(entry, action.name, action.args)
    return False


def written(actions: tuple[a.Action, ...], workspace: str) -> Iterator[tuple[str, bool]]:
    """What a call may write: paths, and whether all below is meant. A shell may write the whole workspace."""
    for action in actions:
        match action:
            case a.Tool(name="Write"):
                yield str(action.args.get("path", "")), False
            case a.File(op="write"):
                yield action.path, False
            case a.File(op="move"):
                yield action.to, True
            case a.Tool(name=name) if name == "Read" or name in _NO_FILES:
                continue
            case a.Tool() | a.McpCall() if workspace:
                yield workspace, True


def may_read(
    actions: tuple[a.Action, ...], trees: Iterable[str], workspace: str
) -> Iterator[tuple[str, bool]]:
    """What a call may read, in the same form: a shell and a local server read what they like."""
    for tree in trees:
        yield tree, True
    for action in actions:
        match action:
            case a.Tool(name="Read"):
                yield str(action.args.get("path", "")), False
            case a.File(op="read" | "move"):
                yield action.path, True
            case a.Tool(name="Bash") | a.McpCall() if workspace:
                yield workspace, True
