"""Finding and loading providers. `get("monty")` imports monty and nothing else."""

from typing import Final, Literal, NamedTuple

from tappass_host.policy.errors import ProviderError
from tappass_host.registry.builtin import ALIASES, BUILTIN, RESERVED, package_of
from tappass_host.registry.discover import Plugin, plugins
from tappass_host.registry.loaded import LoadedProvider, load
from tappass_host.registry.lock import Lock, check_files, check_version

Status = Literal["ok", "preview", "broken"]
_REMEDY: Final = "tappass provider list shows all of them"


class Entry(NamedTuple):
    """One line of `provider list`. A broken one has no version and says why."""

    id: str
    position: str
    version: str
    source: str
    status: Status
    reason: str = ""


class _Found(NamedTuple):
    id: str
    package: str
    source: str


def get(provider_id: str, *, lock: Lock | None = None) -> LoadedProvider:
    """The provider of that id or alias.

    Args:
        provider_id: built-in ids and aliases first, then those of other packages.
        lock: if given, the provider must be in it and unchanged.

    Raises:
        ProviderError: unknown, broken, or not the locked one.
    """
    found = _find(provider_id, lock)
    if lock is not None:
        check_files(lock, found.id, found.package)
    provider = load(found.package, found.id, found.source)
    _check_aliases(provider)
    if lock is not None:
        check_version(lock, provider)
    return provider


def all() -> tuple[Entry, ...]:  # noqa: A001 - `registry.all()` reads as what it is
    """Every provider there is, broken ones with the reason, sorted by id."""
    built_in = [_entry(_builtin(provider_id)) for provider_id in BUILTIN]
    others = [_refused(p) if p.refused else _entry(_plugin(p)) for p in plugins()]
    return tuple(sorted(built_in + others))


def _find(provider_id: str, lock: Lock | None) -> _Found:
    name = ALIASES.get(provider_id, provider_id)
    if name in BUILTIN:
        return _builtin(name)
    known = plugins()
    for plugin in known:
        if plugin.id == provider_id:
            if plugin.refused:
                raise ProviderError(plugin.refused, source=plugin.source)
            return _plugin(plugin)
    return _by_alias(provider_id, known, lock)


def _by_alias(alias: str, known: tuple[Plugin, ...], lock: Lock | None) -> _Found:
    """Aliases of plugins are known only to their code, so with a lock only locked ones are asked."""
    asked = [p for p in known if not p.refused and (lock is None or p.id in lock.providers)]
    holders = [found for plugin in asked if alias in _aliases(found := _plugin(plugin), lock)]
    if len(holders) == 1:
        return holders[0]
    what = f"{alias} is an alias of several providers" if holders else f"no provider {alias}"
    raise ProviderError(what, remedy=_REMEDY)


def _aliases(found: _Found, lock: Lock | None) -> tuple[str, ...]:
    try:
        if lock is not None:
            check_files(lock, found.id, found.package)
        return load(found.package, found.id, found.source).info.aliases
    except ProviderError:
        return ()


def _builtin(provider_id: str) -> _Found:
    return _Found(provider_id, package_of(provider_id), "builtin")


def _plugin(plugin: Plugin) -> _Found:
    return _Found(plugin.id, plugin.package, plugin.source)


def _check_aliases(provider: LoadedProvider) -> None:
    taken = sorted(RESERVED & set(provider.info.aliases))
    if provider.source != "builtin" and taken:
        raise ProviderError(f"alias {taken[0]} is built in and cannot be claimed", source=provider.source)


def _entry(found: _Found) -> Entry:
    position = BUILTIN[found.id].position if found.source == "builtin" else ""
    try:
        provider = load(found.package, found.id, found.source)
        _check_aliases(provider)
    except ProviderError as error:
        return Entry(found.id, position, "", found.source, "broken", error.message)
    info = provider.info
    return Entry(info.id, info.position, info.version, found.source, "preview" if info.preview else "ok")


def _refused(plugin: Plugin) -> Entry:
    return Entry(plugin.id, "", "", plugin.source, "broken", plugin.refused)
