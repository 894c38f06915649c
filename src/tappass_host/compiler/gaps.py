"""What a Runtime says about restrictions that nobody holds: refuse, make stricter, or warn."""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, cast

from tappass_host.compiler.coverage import OPEN, Coverage, StatementCoverage
from tappass_host.compiler.recipe import GapAction, GapKey, Recipe
from tappass_host.compiler.stricter import Rewrite, stricter
from tappass_host.policy.errors import UnsatisfiableError
from tappass_host.policy.model import Policy
from tappass_host.policy.statements import Statement, statements

# Rules about arguments, history and content of calls: held by a decision service or a broker, or by nobody.
_CONSTRAINTS: Final = frozenset(
    {
        "tools.constraints",
        "tools.deny_if_tainted",
        "tools.taint_sources",
        "mcp.servers.tools.constraints",
        "mcp.servers.pins",
        "mcp.servers.max_result_kb",
    }
)
_SHOWN: Final = 3


class Settlement(NamedTuple):
    """What is to be done about the gaps of one compilation."""

    policy: Policy
    rewrites: tuple[Rewrite, ...]
    warnings: tuple[str, ...]


def gap_key(statement: Statement) -> GapKey:
    """Under which key of `on_gap` a statement falls."""
    if statement.field in _CONSTRAINTS:
        return "constraints"
    if statement.entry == "ask" or statement.field.endswith(".ask"):
        return "ask"
    return cast("GapKey", statement.aspect)


def settle(
    recipe: Recipe, policy: Policy, coverage: Coverage, *, rewritten: Collection[str] = ()
) -> Settlement:
    """Decide about every open restriction.

    Args:
        recipe: whose `on_gap` decides.
        policy: the base policy, to be rewritten.
        coverage: of that policy.
        rewritten: statements that have a stricter form already and stand beside it.

    Raises:
        UnsatisfiableError: some must be refused; lists them.
    """
    by_id = {s.id: s for s in statements(policy)}
    refused: list[StatementCoverage] = []
    warned: list[StatementCoverage] = []
    rewrites: list[Rewrite] = []
    for row in coverage.open():
        if row.id in rewritten:
            continue
        statement = by_id.get(row.id)
        action = _action(recipe, policy, statement or _runtime(row), coverage.unmanaged)
        if action == "stricter" and statement is not None and statement.id in _ids(policy):
            made = stricter(policy, statement)
            if made is not None:
                policy, by = made
                rewrites.append(Rewrite(row.id, by))
                continue
        (warned if action == "warn" else refused).append(row)
    if refused:
        raise _refusal(refused)
    return Settlement(policy, tuple(rewrites), _lines(warned))


def _ids(policy: Policy) -> frozenset[str]:
    return frozenset(s.id for s in statements(policy))


def _runtime(row: StatementCoverage) -> Statement:
    """A statement that only effective policies have, as far as `gap_key` looks at it."""
    return Statement(row.id, row.id.partition("[")[0], "", row.polarity)


def _action(recipe: Recipe, policy: Policy, statement: Statement, unmanaged: Collection[str]) -> GapAction:
    # In observe mode native files carry little on purpose, so that nothing is enforced but self-protection.
    # About an unmanaged aspect nothing is promised, though self-protection still says what it can there.
    if policy.mode == "observe" or statement.aspect in unmanaged:
        return "warn"
    return recipe.gap_action(gap_key(statement))


def _lines(rows: Iterable[StatementCoverage]) -> tuple[str, ...]:
    """One line for all statements of an aspect that are open at the same places for the same reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        open_ = [p for p in row.places if p.verdict in OPEN]
        where = ", ".join(dict.fromkeys(f"{p.use}/{p.surface}" for p in open_))
        why = next((p.reason for p in open_ if p.reason), "")
        groups.setdefault((row.aspect, f"{row.verdict} on {where} ({why})"), []).append(row.id)
    return tuple(f"{_named(ids)}: {what}" for (_, what), ids in groups.items())


def _named(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more


def _refusal(refused: list[StatementCoverage]) -> UnsatisfiableError:
    listed = "".join(f"\n  {line}" for line in _lines(refused))
    count = "one restriction" if len(refused) == 1 else f"{len(refused)} restrictions"
    return UnsatisfiableError(
        f"this Runtime does not hold {count} of the policy:{listed}",
        remedy="add what holds them (tappass coverage --suggest), or let on_gap of the Runtime say warn",
    )
