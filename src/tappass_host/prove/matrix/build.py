"""Making the matrix: load, render, judge the recordings again, and put it together."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from tappass_host import __version__
from tappass_host.policy.errors import TappassError
from tappass_host.prove.matrix.cells import ORDER, cells
from tappass_host.prove.matrix.evidence import Evidence, judged, newest_first, version_of
from tappass_host.prove.matrix.model import Broken, Cell, Matrix, Proof, ProviderRow
from tappass_host.prove.record import Recorded
from tappass_host.registry import Entry, LoadedProvider
from tappass_host.sdk.kit.reference import reference
from tappass_host.sdk.kit.subject import Settings, Subject, settle
from tappass_host.sdk.kit.targets import default_target

REFERENCE: Final = "full"
# How an agent is wrapped, from the inside out, and then what stands beside it.
POSITIONS: Final = ("harness", "interpreter", "kernel", "llm-gateway", "mcp-broker", "host")

Load = Callable[[str], LoadedProvider]
Progress = Callable[[str], None]


class Source(NamedTuple):
    """Where providers come from: the lines of the registry, and how one is loaded."""

    entries: Sequence[Entry]
    load: Load


def build(
    source: Source,
    recorded: Iterable[Recorded] = (),
    *,
    excuses: bool = False,
    progress: Progress = lambda _text: None,
) -> Matrix:
    """Make the matrix.

    Args:
        source: the providers to compare.
        recorded: recordings that were read, and so are whole.
        excuses: count what the conformance kit excuses, too; that takes a while.
        progress: told which provider comes now.
    """
    by_provider: dict[str, list[Recorded]] = {}
    for each in recorded:
        by_provider.setdefault(each.provider, []).append(each)
    rows: list[ProviderRow] = []
    broken: list[Broken] = []
    for entry in source.entries:
        progress(entry.id)
        made = _row(entry, source.load, by_provider.pop(entry.id, []), excuses=excuses)
        if isinstance(made, ProviderRow):
            rows.append(made)
        else:
            broken.append(made)
    return _matrix(rows, broken, strays=sorted(by_provider))


def _matrix(rows: list[ProviderRow], broken: list[Broken], strays: Sequence[str]) -> Matrix:
    policy = reference(REFERENCE)
    spoken = {aspect for row in rows for aspect in row.aspects}
    return Matrix(
        version=__version__,
        policy={"name": REFERENCE, "digest": policy.digest, "statements": len(policy.statements)},
        aspects=tuple(aspect for aspect in ORDER if aspect in spoken),
        providers=tuple(sorted(rows, key=_place)),
        broken=tuple(sorted(broken, key=lambda each: (each.id, each.source))),
        notes=tuple(f"recordings of {name} are not shown: no such provider here" for name in strays),
    )


def _place(row: ProviderRow) -> tuple[int, str, str]:
    known = POSITIONS.index(row.position) if row.position in POSITIONS else len(POSITIONS)
    return known, row.position, row.id


def _row(entry: Entry, load: Load, recorded: list[Recorded], *, excuses: bool) -> ProviderRow | Broken:
    if entry.status == "broken":
        return Broken(id=entry.id, position=entry.position, source=entry.source, reason=entry.reason)
    try:
        return row_of(load(entry.id), recorded, excuses=excuses)
    except TappassError as error:
        why = error.message
    except Exception as error:  # noqa: BLE001  a plugin may raise anything; it must not take the others with it
        why = f"{type(error).__name__}: {error}"
    reason = f"does not render the reference policy: {why}"
    return Broken(id=entry.id, position=entry.position, source=entry.source, reason=reason)


def row_of(provider: LoadedProvider, recorded: Iterable[Recorded], *, excuses: bool = False) -> ProviderRow:
    """The row of one provider.

    Raises:
        TappassError: it does not render the reference policy.
    """
    info = provider.info
    checked = newest_first(judged(each, provider) for each in recorded)
    usual = default_target(info)
    target = msgspec.structs.replace(usual, version=version_of(checked, usual.version))
    evidence = Evidence(checked, target.version)
    policy = reference(REFERENCE)
    _, config = settle(provider.render, policy, target)
    found = cells(policy, config, evidence)
    if info.preview:
        found = {name: msgspec.structs.replace(cell, proof="preview") for name, cell in found.items()}
    return ProviderRow(
        id=info.id,
        aliases=info.aliases,
        position=info.position,
        target=info.target,
        provider_version=info.version,
        target_version=target.version,
        proof=_proof(provider, found),
        effects=dict(info.effects),
        aspects=found,
        source=provider.source,
        platforms=info.platforms,
        recordings=evidence.recordings,
        excused=_excused(provider) if excuses else {},
    )


def _proof(provider: LoadedProvider, found: Mapping[str, Cell]) -> Proof:
    """Of the whole: `live` if something was seen live and nothing has gone stale. Each cell says the rest."""
    if provider.info.preview:
        return "preview"
    held = [cell for cell in found.values() if cell.grade != "none"]
    if any(cell.proof == "stale" for cell in held):
        return "stale"
    return "live" if any(cell.proven for cell in held) else "documented"


def _excused(provider: LoadedProvider) -> dict[str, int]:
    from tappass_host.sdk.kit.excused import excuses

    subject = Subject(f"{provider.package}.provider", f"{provider.package}.reader", Settings())
    counted = excuses(subject)
    return {"looser": len(counted.looser), "stricter": len(counted.stricter)}
