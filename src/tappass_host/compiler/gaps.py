"""What a Runtime says about restrictions that nobody holds: refuse, make stricter, or warn."""

from collections.abc import Collection
from typing import Final, NamedTuple, cast

from tappass_host.compiler.coverage import Coverage, StatementCoverage
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
_SHOWN: Final = 20


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
        action = _action(recipe, policy, statement or _runtime(row))
        if action == "stricter" and statement is not None and statement.id in _ids(policy):
            made = stricter(policy, statement)
            if made is not None:
                policy, by = made
                rewrites.append(Rewrite(row.id, by))
                continue
        (warned if action == "warn" else refused).append(row)
    if refused:
        raise _refusal(refused)
    return Settlement(policy, tuple(rewrites), tuple(_line(row) for row in warned))


def _ids(policy: Policy) -> frozenset[str]:
    return frozenset(s.id for s in statements(policy))


def _runtime(row: StatementCoverage) -> Statement:
    """A statement that only effective policies have, as far as `gap_key` looks at it."""
    return Statement(row.id, row.id.partition("[")[0], "", row.polarity)


def _action(recipe: Recipe, policy: Policy, statement: Statement) -> GapAction:
    # In observe mode native files carry little on purpose, so that nothing is enforced but self-protection.
    return "warn" if policy.mode == "observe" else recipe.gap_action(gap_key(statement))


def _line(row: StatementCoverage) -> str:
    open_ = [p for p in row.places if p.verdict in ("gap", "unenforceable")]
    where = ", ".join(dict.fromkeys(f"{p.use}/{p.surface}" for p in open_))
    why = next((p.reason for p in open_ if p.reason), "")
    return f"{row.id}: {row.verdict} on {where}" + (f" ({why})" if why else "")


def _refusal(refused: list[StatementCoverage]) -> UnsatisfiableError:
    lines = [_line(row) for row in refused[:_SHOWN]]
    more = f"\n  and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    listed = "".join(f"\n  {line}" for line in lines)
    count = "one restriction" if len(refused) == 1 else f"{len(refused)} restrictions"
    return UnsatisfiableError(
        f"this Runtime does not hold {count} of the policy:{listed}{more}",
        remedy="add what holds them (tappass coverage --suggest), or let on_gap of the Runtime say warn",
    )
