"""Several providers together: the sound join over the Runtime that they make, by aspect."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tappass_host.cli.matrix.cells import REFERENCE, verdict_of
from tappass_host.policy.errors import TappassError
from tappass_host.policy.model import ASPECTS

if TYPE_CHECKING:
    from tappass_host.compiler.coverage import StatementCoverage
    from tappass_host.registry import LoadedProvider


def stack_of(ids: Sequence[str], providers: "Mapping[str, LoadedProvider]") -> dict[str, Any]:
    """What these providers hold together: aspect -> verdict and how many restrictions are open.

    Providers that do not go together give `why` instead.
    """
    try:
        rows = _coverage(ids, providers)
    except TappassError as error:
        return {"providers": list(ids), "aspects": {}, "why": str(error)}
    aspects = {aspect: [row for row in rows if row.aspect == aspect] for aspect in ASPECTS}
    return {
        "providers": list(ids),
        "aspects": {
            aspect: {"verdict": verdict_of(r.verdict for r in some), "open": sum(r.is_open for r in some)}
            for aspect, some in aspects.items()
            if some
        },
    }


def _coverage(ids: Sequence[str], providers: "Mapping[str, LoadedProvider]") -> "list[StatementCoverage]":
    """The signed statements of the reference policy on the kit's small world, but what has no place."""
    from tappass_host.compiler.compile import compile_until_settled
    from tappass_host.compiler.effective import Surroundings
    from tappass_host.compiler.oneline import parse_oneline
    from tappass_host.compiler.suggest import default_capabilities
    from tappass_host.sdk.facts import UNKNOWN, Answer, Query, Unknown
    from tappass_host.sdk.kit import world
    from tappass_host.sdk.kit.reference import reference

    def answer(query: Query) -> Answer | Unknown:
        found = world.answer(query)
        return UNKNOWN if found is None else found

    recipe = parse_oneline(
        ",".join(f"{providers[i].info.position}={i}" for i in ids), providers, name="stack"
    )
    plan = compile_until_settled(
        answer,
        reference(REFERENCE).doc,
        recipe,
        providers,
        default_capabilities(recipe, providers, world.PATHS),
        surroundings=Surroundings(home=world.PATHS["home"]),
        refuse_gaps=False,
    )
    signed = reference(REFERENCE).by_id
    return [row for row in plan.coverage.statements if row.id in signed and row.verdict != "vacuous"]
