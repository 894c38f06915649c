"""What must hold between rendered uses: needs, and one owner for each file."""

from collections.abc import Iterable, Iterator, Mapping

from tappass_host.compiler.needs import PlacedNeed, action
from tappass_host.compiler.providers import read
from tappass_host.compiler.rendering import Rendered, Rendering, placed
from tappass_host.compiler.topology import Topology
from tappass_host.policy.effect import Effect
from tappass_host.policy.errors import UnsatisfiableError
from tappass_host.policy.surfaces import Surface
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.contract import ProviderInfo, TargetConfig
from tappass_host.sdk.reader import Native, Ruling

# Where a use itself acts, most telling first.
_OWN: tuple[Surface, ...] = ("self", "code", "exec", "mcp", "tool", "llm")


class Natives:
    """Configurations as their readers understand them, each read once."""

    def __init__(self, topology: Topology, rendering: Rendering) -> None:
        self._topology = topology
        self._rendering = rendering
        self._read: dict[str, Native] = {}

    def of(self, use: str) -> Native:
        """The configuration of a use, read back.

        Raises:
            ProviderError: its provider has no reader.
            RenderError: its reader refuses it.
        """
        if use not in self._read:
            self._read[use] = read(self._topology.providers[use], self._rendering.uses[use].config)
        return self._read[use]

    def has_reader(self, use: str) -> bool:
        """Whether its provider can read back what it rendered."""
        return self._topology.providers[use].reader is not None


def unmet_needs(topology: Topology, rendering: Rendering, natives: Natives) -> Iterator[str]:
    """Needs that the configuration around a use does not permit, one sentence each.

    What a service needs has to be possible inside every kernel that leads to it, too.
    """
    for use in topology.order:
        surface = _own_surface(topology.infos[use])
        led = (k for s, k in sorted(rendering.wired) if s == use and topology.infos[k].position == "kernel")
        around = tuple(dict.fromkeys((*topology.enclosers(use), *led)))
        for need in placed(topology, rendering.uses[use].config, use):
            for outer in around:
                ruling = natives.of(outer).permits(action(need, surface))
                if _stands_in_the_way(ruling) and not _carried(need, surface, outer, rendering, natives):
                    assert ruling is not None
                    said = _says(ruling, rendering, outer)
                    yield f"{need}, which {outer} ({topology.infos[outer].id}) {said}"


def _own_surface(info: ProviderInfo) -> Surface:
    for surface in _OWN:
        if surface in info.brings:
            return surface
    return "self"


def _stands_in_the_way(ruling: Ruling | None) -> bool:
    return ruling is not None and ruling.effect in (Effect.DENY, Effect.ASK)


def _carried(
    wanted: PlacedNeed, surface: Surface, outer: str, rendering: Rendering, natives: Natives
) -> bool:
    """Whether a service that the encloser is wired to carries the connection instead."""
    if wanted.need.kind != "connect":
        return False
    for service, use in sorted(rendering.wired):
        if use == outer:
            offered = rendering.uses[service].config.offers
            if any(wanted.need.value == e.tcp for e in offered):
                return True
            ruling = (
                natives.of(service).permits(action(wanted, surface)) if natives.has_reader(service) else None
            )
            if ruling is not None and ruling.effect is Effect.ALLOW:
                return True
    return False


def _says(ruling: Ruling, rendering: Rendering, outer: str) -> str:
    if not ruling.locator:
        return f"rules {ruling.effect} by default"
    said = [c.statement for c in rendering.uses[outer].config.claims if ruling.locator in c.locators]
    because = f" for {', '.join(said[:3])}" if said else ""
    return f"rules {ruling.effect} at {ruling.locator}{because}"


def check_paths(uses: Mapping[str, Rendered]) -> None:
    """Refuse two uses that write different things to one file of the host.

    Raises:
        UnsatisfiableError: naming both uses and the file.
    """
    owners: dict[tuple[str, str], tuple[str, Artifact]] = {}
    for use, rendered in uses.items():
        for artifact in rendered.config.artifacts:
            if artifact.kind != "file" or artifact.scope == "sandbox":
                continue
            key = (artifact.root, artifact.path)
            other, theirs = owners.setdefault(key, (use, artifact))
            if not _agree(theirs, artifact):
                raise UnsatisfiableError(
                    f"{other} and {use} write different things to {artifact.root}:{artifact.path}",
                    remedy="give them the same options, or drop one of the two",
                )


def _agree(a: Artifact, b: Artifact) -> bool:
    """One file can hold both if they say the same, or each owns other keys of it."""
    if (a.doc, a.codec) == (b.doc, b.codec) and (a.owner, a.mode) == (b.owner, b.mode):
        return True
    return bool(a.owned and b.owned) and a.codec == b.codec and not set(a.owned) & set(b.owned)


def shared_paths(active: Iterable[TargetConfig], candidate: Iterable[TargetConfig]) -> tuple[str, ...]:
    """Host files on which two compiled Runtimes disagree; the later one has to be refused."""
    ours = {(a.root, a.path): a for a in _host_files(active)}
    clashes = (a for a in _host_files(candidate) if not _agree(ours.get((a.root, a.path), a), a))
    return tuple(sorted({f"{a.root}:{a.path}" for a in clashes}))


def _host_files(configs: Iterable[TargetConfig]) -> Iterator[Artifact]:
    for config in configs:
        yield from (a for a in config.artifacts if a.kind == "file" and a.scope == "host")
