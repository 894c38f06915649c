"""What the kit examines: a provider's two pure modules, and what was declared about them."""

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import import_module
from typing import Any, NamedTuple

import msgspec

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import ProviderError
from tappass_host.policy.surfaces import SURFACES, Surface
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.contract import ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.facts import Answer
from tappass_host.sdk.kit import world
from tappass_host.sdk.kit.reference import reference
from tappass_host.sdk.kit.targets import default_target
from tappass_host.sdk.reader import Native

# A question that leads to another one, and so on, more often than this leads nowhere.
_ROUNDS = 8

Render = Callable[[EffectivePolicy, TargetCapabilities], TargetConfig]


class Settings(NamedTuple):
    """What a provider's author declares.

    Attributes:
        capabilities: the targets to render for; if empty, one with default options.
        looser: at most so many actions may be permitted that the policy denies, each under an open claim.
        stricter: at most so many may be denied that the policy permits, each under a claim that says so.
        examples: how many examples each generated test draws.
        imports: packages that `provider.py` and `reader.py` may import besides the usual pure ones.
    """

    capabilities: tuple[TargetCapabilities, ...] = ()
    looser: int = 0
    stricter: int = 0
    examples: int = 25
    imports: tuple[str, ...] = ()


class Rendered(NamedTuple):
    """One policy rendered for one target, with every question answered, and read back."""

    policy: EffectivePolicy
    target: TargetCapabilities
    config: TargetConfig
    native: Native


class Subject:
    """A provider under examination."""

    def __init__(self, provider: str, reader: str, settings: Settings) -> None:
        self.provider = provider
        self.reader = reader
        self.settings = settings
        self._rendered: dict[tuple[str, int], Rendered] = {}

    @cached_property
    def info(self) -> ProviderInfo:
        """The provider's INFO."""
        info: ProviderInfo = self._module.INFO
        return info

    @cached_property
    def targets(self) -> tuple[TargetCapabilities, ...]:
        """The targets to render for."""
        return self.settings.capabilities or (default_target(self.info),)

    @cached_property
    def surfaces(self) -> tuple[Surface, ...]:
        """The surfaces that the provider answers for."""
        mine = {surface for some in self.info.covers.values() for surface in some}
        return tuple(surface for surface in SURFACES if surface in mine)

    def render(self, policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
        """Render once, as the module does it."""
        config: TargetConfig = self._module.render(policy, target)
        return config

    def read(self, artifacts: Sequence[Artifact]) -> Native:
        """Read back, as the module does it."""
        native: Native = import_module(self.reader).read(artifacts)
        return native

    def rendered(self, policy: EffectivePolicy, target: TargetCapabilities) -> Rendered:
        """Render with every question answered, and read the result back."""
        asked, config = settle(self.render, policy, target)
        return Rendered(policy, asked, config, self.read(config.artifacts))

    def reference(self, name: str) -> list[Rendered]:
        """A reference policy rendered for every target; made once."""
        for index, target in enumerate(self.targets):
            if (name, index) not in self._rendered:
                self._rendered[name, index] = self.rendered(reference(name), target)
        return [self._rendered[name, index] for index in range(len(self.targets))]

    @cached_property
    def _module(self) -> Any:
        return import_module(self.provider)


def settle(
    render: Render, policy: EffectivePolicy, target: TargetCapabilities
) -> tuple[TargetCapabilities, TargetConfig]:
    """Render until nothing is asked that the kit's world can answer.

    Raises:
        ProviderError: the questions do not end.
    """
    for _ in range(_ROUNDS):
        config = render(policy, target)
        answers = {q.key: world.answer(q) for q in config.asked}
        found: dict[str, Answer] = {key: value for key, value in answers.items() if value is not None}
        if not found:
            return target, config
        target = msgspec.structs.replace(target, facts={**target.facts, **found})
    raise ProviderError(f"still asks after {_ROUNDS} rounds: {', '.join(sorted(answers))}")
