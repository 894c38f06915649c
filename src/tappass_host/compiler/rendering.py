"""Rendering all uses of a Runtime so that they fit each other.

Services come first, then what is enclosed, then kernels from the inside out, so that offers and needs flow
one way. Two things flow back: what uses need of a service they turned out to be wired to, and where
configuration files turned out to lie. So the uses are rendered again until nothing changes; a use whose
inputs did not change is not rendered twice.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from tappass_host.compiler.effective import Effectives, Surroundings
from tappass_host.compiler.needs import PlacedNeed
from tappass_host.compiler.topology import Topology
from tappass_host.compiler.wiring import Wired, offers_of, wired
from tappass_host.policy.ceiling import Ceiling
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import ProviderError
from tappass_host.policy.model import Policy
from tappass_host.sdk.artifacts import Endpoint, Launch, SecretRef
from tappass_host.sdk.contract import Inner, Need, TargetCapabilities, TargetConfig

# Needs of services of services are the deepest chain there is; whatever takes longer runs in a circle.
_ROUNDS = 8


class Rendered(NamedTuple):
    """One use: what it was given and what came of it."""

    policy: EffectivePolicy
    target: TargetCapabilities
    config: TargetConfig


class Rendering(NamedTuple):
    """All uses, by id, who goes through which service, and the files that will be there."""

    uses: dict[str, Rendered]
    wired: Wired
    files: tuple[str, ...] = ()


class _Fed(NamedTuple):
    """What one round tells the next."""

    across: dict[str, tuple[PlacedNeed, ...]]
    config_paths: tuple[str, ...]


class Renderer:
    """Renders the uses of one Runtime, for one policy after another."""

    def __init__(
        self,
        topology: Topology,
        capabilities: Mapping[str, TargetCapabilities],
        surroundings: Surroundings,
        ceiling: Ceiling | None,
        *,
        policy_digest: str = "",
    ) -> None:
        self._topology = topology
        self._digest = policy_digest
        self._capabilities = capabilities
        self._surroundings = surroundings
        self._ceiling = ceiling
        self._last: dict[str, Rendered] = {}
        # Where the last policy came to rest is where the next one starts: mostly it stays there.
        self._fed = _Fed({}, ())
        self._made: tuple[Policy, dict[tuple[str, ...], Effectives]] | None = None

    def render(self, base: Policy) -> Rendering:
        """Render every use under a policy.

        Raises:
            UnsatisfiableError: a need collides with the policy.
            CeilingError: a need goes above the device ceiling.
            ProviderError: the uses never come to rest, or a provider breaks its contract.
        """
        for _ in range(_ROUNDS):
            fed = self._fed
            uses = self._round(self._effectives(base, fed.config_paths), fed)
            configs = {use: rendered.config for use, rendered in uses.items()}
            pairs = wired(self._topology, configs)
            self._fed = _Fed(self._across(configs, pairs), self._config_paths(uses))
            if self._fed == fed:
                return Rendering(uses, pairs, fed.config_paths)
        raise ProviderError("the uses of this Runtime keep changing each other's configuration")

    def _effectives(self, base: Policy, config_paths: tuple[str, ...]) -> Effectives:
        if self._made is None or self._made[0] is not base:
            self._made = (base, {})
        made = self._made[1]
        if config_paths not in made:
            around, ceiling = self._surroundings, self._ceiling
            made[config_paths] = Effectives(base, around, config_paths, ceiling, policy_digest=self._digest)
        return made[config_paths]

    def _round(self, effectives: Effectives, fed: _Fed) -> dict[str, Rendered]:
        uses: dict[str, Rendered] = {}
        offers: dict[str, Endpoint] = {}
        for use in self._topology.order:
            needs = fed.across.get(use, ())
            for inner in self._topology.enclosed(use):
                needs += placed(self._topology, uses[inner].config, inner)
            addresses = frozenset(text for e in offers.values() for text in (e.unix, e.tcp) if text)
            uses[use] = self._use(use, effectives.of(needs, addresses), offers, uses)
            if use in self._topology.services():
                offers = {**offers, **offers_of(self._topology.infos[use].id, uses[use].config)}
        return uses

    def _use(
        self,
        use: str,
        policy: EffectivePolicy,
        offers: dict[str, Endpoint],
        done: Mapping[str, Rendered],
    ) -> Rendered:
        infos = self._topology.infos
        target = msgspec.structs.replace(
            self._capabilities[use],
            offers=offers,
            inner=tuple(self._inner(key, done) for key in self._topology.inner(use)),
            inside=tuple(infos[outer].id for outer in self._topology.enclosers(use)),
        )
        last = self._last.get(use)
        same = last is not None and (last.policy is policy or last.policy == policy)
        if last is None or not same or last.target != target:
            last = Rendered(policy, target, self._topology.providers[use].render(policy, target))
            self._last[use] = last
        return last

    def _inner(self, use: str, done: Mapping[str, Rendered]) -> Inner:
        needs = [done[use].config.needs, *(done[key].config.needs for key in self._topology.enclosed(use))]
        flat: dict[Need, None] = dict.fromkeys(need for group in needs for need in group)
        return Inner(use=use, launch=self._launch(use, done), needs=tuple(flat))

    def _launch(self, use: str, done: Mapping[str, Rendered]) -> Launch | None:
        """The launch of a use, with the environment that uses further in still need."""
        launch = launch_of(done[use].config)
        if launch is None:
            return None
        env: dict[str, str | SecretRef] = {}
        for key in self._topology.enclosed(use):
            inner = launch_of(done[key].config)
            env |= inner.env if inner is not None else {}
        return msgspec.structs.replace(launch, env={**env, **launch.env})

    def _across(self, configs: Mapping[str, TargetConfig], pairs: Wired) -> dict[str, tuple[PlacedNeed, ...]]:
        """Needs along wires.

        Connections that the service is to carry, and what a kernel that leads to the service has to make
        possible inside for that.
        """
        found: dict[str, tuple[PlacedNeed, ...]] = {}
        for service, use in sorted(pairs):
            inside = placed(self._topology, configs[service], service)
            carried = tuple(p for p in placed(self._topology, configs[use], use) if p.need.kind == "connect")
            if carried:
                found[service] = found.get(service, ()) + carried
            if inside and self._topology.infos[use].position == "kernel":
                found[use] = found.get(use, ()) + inside
        return found

    def _config_paths(self, uses: Mapping[str, Rendered]) -> tuple[str, ...]:
        """Where rendered files lie, as far as that is known, in the agent's view."""
        found: set[str] = set()
        for rendered in uses.values():
            for artifact in rendered.config.artifacts:
                root = rendered.target.paths.get(artifact.root, "")
                if artifact.kind == "file" and root and artifact.path:
                    found.add(f"{root.rstrip('/')}/{artifact.path}")
        return tuple(sorted(found))


def placed(topology: Topology, config: TargetConfig, use: str) -> tuple[PlacedNeed, ...]:
    """The needs of a use with who has them."""
    return tuple(PlacedNeed(use, topology.infos[use].id, need) for need in config.needs)


def launch_of(config: TargetConfig) -> Launch | None:
    """The launch a configuration describes, if it describes one."""
    launches = (a.doc for a in config.artifacts if a.kind == "launch" and isinstance(a.doc, Launch))
    return next(launches, None)
