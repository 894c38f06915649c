"""Target capabilities as plain data: in golden cases, and on the way to another process."""

from typing import Any

import msgspec

from tappass_host.sdk.contract import Inner, ProviderInfo, TargetCapabilities
from tappass_host.sdk.kit import world


def default_target(info: ProviderInfo) -> TargetCapabilities:
    """A target with default options, at the newest version that the provider names."""
    version = info.versions[-1] if info.versions else "1.0"
    platform = info.platforms[0] if info.platforms else "linux"
    return TargetCapabilities(
        version=version, platform=platform, options=info.options(), paths=dict(world.PATHS)
    )


def target_of(info: ProviderInfo, given: dict[str, Any]) -> TargetCapabilities:
    """A target from plain data; what is not given is as in `default_target`.

    Raises:
        ValidationError: a field or an option is unknown or of the wrong type.
    """
    unknown = sorted(set(given) - set(TargetCapabilities.__struct_fields__))
    if unknown:
        raise msgspec.ValidationError(f"capabilities have unknown fields {unknown}")
    special = {
        "options": msgspec.convert(given.get("options", {}), info.options),
        "facts": {k: tuple(v) if isinstance(v, list) else v for k, v in given.get("facts", {}).items()},
        "inner": msgspec.convert(given.get("inner", []), tuple[Inner, ...]),
    }
    base = plain_of(default_target(info))
    rest = {key: value for key, value in {**base, **given}.items() if key not in special}
    return msgspec.structs.replace(msgspec.convert(rest, TargetCapabilities), **special)


def plain_of(target: TargetCapabilities) -> dict[str, Any]:
    """The inverse of `target_of`."""
    plain: dict[str, Any] = msgspec.to_builtins(target)
    return plain
