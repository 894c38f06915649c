"""Several providers as one Runtime: the sound join of what they hold, aspect by aspect."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tappass_host.compiler.compile import compile_until_settled
from tappass_host.compiler.coverage import StatementCoverage
from tappass_host.compiler.effective import Surroundings
from tappass_host.compiler.oneline import parse_oneline
from tappass_host.compiler.plan import Plan
from tappass_host.compiler.recipe import Recipe
from tappass_host.compiler.suggest import default_capabilities
from tappass_host.policy.errors import TappassError
from tappass_host.policy.statements import Statement
from tappass_host.prove.matrix.build import REFERENCE, Load
from tappass_host.prove.matrix.cells import ORDER
from tappass_host.prove.matrix.grades import grade, holds, tallies, tally, worst
from tappass_host.prove.matrix.model import Stack, StackCell
from tappass_host.registry import LoadedProvider
from tappass_host.sdk.claims import Strength, Verdict
from tappass_host.sdk.facts import UNKNOWN, Answer, Query, Unknown
from tappass_host.sdk.kit import world
from tappass_host.sdk.kit.reference import reference

_VERDICTS: Final[Mapping[str, Verdict]] = {"enforced": "enforced", "partial": "partial"}


class _Loading(dict[str, LoadedProvider]):
    """Providers by id or alias, loaded when they are asked for: a service that is wanted is one more."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self._load = load

    def __missing__(self, name: str) -> LoadedProvider:
        loaded = self._load(name)
        return self.setdefault(loaded.info.id, loaded)

    def get(self, name: str, default: object = None) -> LoadedProvider:
        """An unknown one says so itself, better than any default could."""
        del default
        return self[name]


def stack(ids: Sequence[str], load: Load) -> Stack:
    """The joined coverage of the reference policy over some providers and the services they want.

    The first kernel encloses harnesses and interpreters, as in a Runtime that is written in one line.

    Raises:
        ProviderError: one of them is unknown or broken.
    """
    providers = _Loading(load)
    infos = [providers[name].info for name in ids]
    try:
        recipe = parse_oneline(
            ",".join(f"{info.position}={info.id}" for info in infos), providers, name="stack"
        )
        plan = _compiled(recipe, providers)
    except TappassError as error:
        return Stack(uses=tuple(info.id for info in infos), why=str(error))
    return Stack(
        uses=tuple(use.provider for use in recipe.uses),
        inside={use.id: use.inside for use in recipe.uses if use.inside},
        aspects=_cells(plan),
    )


def _compiled(recipe: Recipe, providers: _Loading) -> Plan:
    return compile_until_settled(
        _answer,
        reference(REFERENCE).doc,
        recipe,
        providers,
        default_capabilities(recipe, providers, world.PATHS),
        surroundings=Surroundings(home=world.PATHS["home"]),
        refuse_gaps=False,
    )


def _answer(query: Query) -> Answer | Unknown:
    found = world.answer(query)
    return UNKNOWN if found is None else found


def _cells(plan: Plan) -> dict[str, StackCell]:
    """Only what the reference policy says, and what has a place in this Runtime."""
    said = reference(REFERENCE).by_id
    rows: dict[str, list[StatementCoverage]] = {}
    for row in plan.coverage.statements:
        if row.id in said and row.verdict != "vacuous":
            rows.setdefault(row.aspect, []).append(row)
    return {aspect: _cell(rows[aspect], said) for aspect in ORDER if aspect in rows}


def _cell(rows: Sequence[StatementCoverage], said: Mapping[str, Statement]) -> StackCell:
    verdicts = [(said[row.id], _verdict(row.verdict)) for row in rows]
    restrictions, grants = tallies(verdicts)
    places = [(said[row.id], _verdict(place.verdict)) for row in rows for place in row.places]
    return StackCell(
        verdict=worst(verdict for _, verdict in verdicts),
        strength=_strength(rows),
        grade=grade(restrictions, grants, held=holds(places)),
        restrictions=restrictions,
        grants=grants,
        places=tally(verdict for _, verdict in places),
        statements=tuple(msgspec.to_builtins(row) for row in rows),
    )


def _verdict(verdict: str) -> Verdict:
    """A gap is as open as a named cannot."""
    return _VERDICTS.get(verdict, "unenforceable")


def _strength(rows: Sequence[StatementCoverage]) -> Strength:
    held = {place.strength for row in rows for place in row.places if place.verdict in _VERDICTS}
    return "compulsory" if held == {"compulsory"} else "cooperative"
