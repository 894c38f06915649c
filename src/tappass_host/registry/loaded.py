"""A provider that is loaded: its info and `render` at once, everything else when it is first used."""

from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from types import ModuleType

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import ProviderError
from tappass_host.sdk.contract import ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.version import SDK_VERSION, supports

Render = Callable[[EffectivePolicy, TargetCapabilities], TargetConfig]


class LoadedProvider:
    """One provider.

    Attributes:
        package: dotted name of the package that holds `provider.py`, `reader.py` and `target.py`.
        source: `builtin`, or the name and version of the distribution it came with.
    """

    def __init__(self, package: str, source: str, info: ProviderInfo, render: Render) -> None:
        self.package = package
        self.source = source
        self.info = info
        self.render = render

    def __repr__(self) -> str:
        return f"<provider {self.info.id} {self.info.version} from {self.source}>"

    @property
    def id(self) -> str:
        """The provider's id."""
        return self.info.id

    @cached_property
    def reader(self) -> ModuleType | None:
        """The module that parses what was rendered, if there is one."""
        return _optional(f"{self.package}.reader")

    @cached_property
    def target(self) -> ModuleType | None:
        """The module that meets the real target, if there is one. Importing it may do I/O."""
        return _optional(f"{self.package}.target")

    @cached_property
    def digest(self) -> str:
        """Digest of the package's files as they lie on disk."""
        from tappass_host.registry.digest import package_digest

        return package_digest(self.package)


def load(package: str, provider_id: str, source: str) -> LoadedProvider:
    """Import a provider's `provider` module and check what it says of itself.

    Raises:
        ProviderError: it does not import, has no INFO or render, names another id or another SDK.
    """
    try:
        module = import_module(f"{package}.provider")
    except Exception as error:
        # A plugin's import may raise anything; it must never take the command down with it.
        raise ProviderError(
            f"provider {provider_id} does not import: {type(error).__name__}: {error}", source=source
        ) from error
    info, render = getattr(module, "INFO", None), getattr(module, "render", None)
    why = _unfit(info, render, provider_id)
    if why or not isinstance(info, ProviderInfo) or render is None:
        raise ProviderError(f"provider {provider_id} {why}", source=source)
    return LoadedProvider(package, source, info, render)


def _unfit(info: object, render: object, provider_id: str) -> str:
    if not isinstance(info, ProviderInfo):
        return "has no INFO: ProviderInfo in its provider module"
    if not callable(render):
        return "has no render in its provider module"
    if info.id != provider_id:
        return f"says that it is {info.id}"
    try:
        fits = supports(info.sdk)
    except ValueError:
        return f"names no SDK version: {info.sdk!r}"
    return "" if fits else f"is written for SDK {info.sdk}, this is {SDK_VERSION}"


def _optional(name: str) -> ModuleType | None:
    """The module, or None if it does not exist; what it cannot itself import is an error."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        raise ProviderError(f"{name} does not import: {error}") from error
    except Exception as error:
        raise ProviderError(f"{name} does not import: {type(error).__name__}: {error}") from error
