"""What the compiler asks of a loaded provider, and of the mapping that it finds them in."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import ProviderError, RecipeError
from tappass_host.sdk.contract import ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.reader import Native

Render = Callable[[EffectivePolicy, TargetCapabilities], TargetConfig]


class Loaded(Protocol):
    """A provider with its parts; `registry.get` returns one."""

    @property
    def info(self) -> ProviderInfo:
        """What it says of itself."""
        ...

    @property
    def render(self) -> Render:
        """Policy and target to configuration."""
        ...

    @property
    def reader(self) -> Any:
        """The module (or object) with `read`, or None if it has none."""
        ...


Providers = Mapping[str, Loaded]


def find(providers: Providers, name: str) -> Loaded:
    """The provider of an id or alias.

    Raises:
        RecipeError: there is none.
    """
    loaded = providers.get(name)
    if loaded is None:
        loaded = next((p for p in providers.values() if name in p.info.aliases), None)
    if loaded is None:
        raise RecipeError(f"no provider {name}", remedy="tappass provider list shows all of them")
    return loaded


def read(provider: Loaded, config: TargetConfig) -> Native:
    """The configuration as the provider's own reader understands it.

    Raises:
        ProviderError: it has no reader.
        RenderError: the reader does not take what was rendered.
    """
    if provider.reader is None:
        raise ProviderError(f"{provider.info.id} has no reader, so what it permits cannot be checked")
    native: Native = provider.reader.read(config.artifacts)
    return native
