"""The contract between the compiler and a provider: five Structs and one function.

    def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig

`render` is pure and deterministic: no I/O, clock, environment or randomness. It raises `RenderError` only
for options that contradict each other; whatever the target cannot hold is a claim, not an exception.
"""

from typing import Literal, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import RenderError
from tappass_host.policy.surfaces import Surface
from tappass_host.sdk.artifacts import Artifact, Endpoint, Launch
from tappass_host.sdk.claims import Claim
from tappass_host.sdk.facts import Answer, Query

Position = Literal["harness", "kernel", "interpreter", "llm-gateway", "mcp-broker", "host"]
ApplyEffect = Literal["none", "live", "next_session", "process_restart", "sandbox_recreate"]
APPLY_EFFECTS: tuple[ApplyEffect, ...] = (
    "none",
    "live",
    "next_session",
    "process_restart",
    "sandbox_recreate",
)


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a provider's own options; the empty set of them."""


Own = TypeVar("Own", bound=Options)


class ProviderInfo(Struct, frozen=True, kw_only=True):
    """What a provider says of itself, as constants.

    Attributes:
        versions: target versions it was tried on; others are `unproven here`.
        effects: locator prefix -> what it takes for a change there to be in force.
        brings: surfaces this target creates (a harness brings `tool`, `exec`, `mcp`, `llm`, `self`).
        covers: aspect -> surfaces on which it answers for *every* statement of that aspect.
        cannot: `aspect.field@surface`, `aspect.field`, `aspect` or `@surface` -> why this target cannot.
        records: ids of reaches that in observe mode let through what the policy denies and record it. A
            provider that names some renders the whole policy with its mode; all others render and claim only
            what `policy.observed` leaves.
        wants: provider ids of services of ours that it needs for its best; a Runtime written as one line
            gets them, a recipe file lists them itself.
        preview: unfinished; listed, never counted.
        options: Struct that `TargetCapabilities.options` is decoded into.
    """

    id: str
    position: Position
    target: str
    version: str
    sdk: str
    versions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ("linux",)
    effects: dict[str, ApplyEffect] = {}
    brings: tuple[Surface, ...] = ()
    covers: dict[str, tuple[Surface, ...]] = {}
    cannot: dict[str, str] = {}
    records: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    preview: bool = False
    options: type[Options] = Options


class Need(NamedTuple):
    """Something an enclosed use must be able to do, or it does not work.

    Kinds: `read`, `write` (a path), `connect` (host:port), `socket` (a unix path), `exec` (a path),
    `env` (NAME=value). It holds iff the enclosing config permits it.
    """

    kind: Literal["read", "write", "connect", "socket", "exec", "env"]
    value: str
    why: str


class Inner(Struct, frozen=True, kw_only=True):
    """An enclosed use, as its encloser sees it."""

    use: str
    launch: Launch | None = None
    needs: tuple[Need, ...] = ()


class TargetCapabilities(Struct, frozen=True, kw_only=True):
    """The target as it is here: version, platform, options, paths, and what the host answered.

    Attributes:
        paths: logical root -> absolute path as the target sees it.
        facts: `Query.key` -> answer.
        offers: provider id of a service -> where it listens for this use.
        inner: uses that this one encloses.
        inside: provider ids of the uses that enclose this one, innermost first.
    """

    version: str
    platform: str = "linux"
    options: Options = Options()
    paths: dict[str, str] = {}
    facts: dict[str, Answer] = {}
    offers: dict[str, Endpoint] = {}
    inner: tuple[Inner, ...] = ()
    inside: tuple[str, ...] = ()

    def options_as(self, kind: type[Own]) -> Own:
        """The options as the provider's own Struct; its defaults where none were given.

        Raises:
            RenderError: they are the options of another provider.
        """
        if isinstance(self.options, kind):
            return self.options
        if type(self.options) is not Options:
            raise RenderError(f"{type(self.options).__name__} are not {kind.__name__}")
        return kind()


class TargetConfig(Struct, frozen=True, kw_only=True):
    """What a provider returns: documents, claims, what it needs and offers, and what it still wants to know.

    Attributes:
        hardening: locator -> why, for entries that stand for no statement.
    """

    artifacts: tuple[Artifact, ...] = ()
    claims: tuple[Claim, ...] = ()
    needs: tuple[Need, ...] = ()
    offers: tuple[Endpoint, ...] = ()
    asked: tuple[Query, ...] = ()
    hardening: dict[str, str] = {}

    def artifact(self, artifact_id: str) -> Artifact:
        """The artifact of that id.

        Raises:
            KeyError: there is none.
        """
        for artifact in self.artifacts:
            if artifact.id == artifact_id:
                return artifact
        raise KeyError(artifact_id)


class Provider(Protocol):
    """The module a provider is: `INFO` and `render` in `provider.py`."""

    INFO: ProviderInfo

    def render(self, policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
        """Translate. Pure, total, deterministic."""
        ...
