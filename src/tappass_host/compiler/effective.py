"""The effective policy of each use: what was signed, what enclosed uses need, and self-protection.

All of it is ordinary statements under the device ceiling. Uses without needs of their own share one value, so
that its entries are parsed once for all of them.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from tappass_host.compiler.needs import PlacedNeed, action, grant
from tappass_host.policy.amend import amend
from tappass_host.policy.ceiling import Ceiling, check_ceiling
from tappass_host.policy.decide import Decision, decide
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import UnsatisfiableError
from tappass_host.policy.model import Policy
from tappass_host.policy.selfprotect import protect


class Surroundings(Struct, frozen=True, kw_only=True):
    """What the host knows about itself, as far as self-protection needs it. Paths as the agent sees them.

    Attributes:
        home: of the sandbox user; empty means `paths["home"]` of the first use that has one.
        config_paths: configuration files besides those that are rendered, such as a user's own.
        state_paths: state, admin sockets, keys and audit of the host.
        sockets: word of `network.allow_unix` -> where that socket is here.
    """

    home: str = ""
    config_paths: tuple[str, ...] = ()
    state_paths: tuple[str, ...] = ()
    sockets: dict[str, tuple[str, ...]] = {}


class Effectives:
    """Effective policies of one base policy, each made once."""

    def __init__(
        self,
        base: Policy,
        surroundings: Surroundings,
        config_paths: Sequence[str],
        ceiling: Ceiling | None,
        *,
        policy_digest: str = "",
    ) -> None:
        self._base = base
        self._surroundings = surroundings
        self._config_paths = tuple(sorted({*surroundings.config_paths, *config_paths}))
        self._ceiling = ceiling
        self._digest = policy_digest
        self._made: dict[tuple[PlacedNeed, ...], EffectivePolicy] = {}

    def of(self, needs: Iterable[PlacedNeed], offered: frozenset[str] = frozenset()) -> EffectivePolicy:
        """The policy of a use around, or serving, others.

        Args:
            needs: of those others.
            offered: addresses of our own services; reaching those is wiring, not something to be granted.

        Raises:
            UnsatisfiableError: a need collides with what the policy denies; names both.
            CeilingError: the result would grant more than the device allows.
        """
        key = tuple(dict.fromkeys(p for p in needs if p.need.value not in offered or p.need.kind == "socket"))
        if key not in self._made:
            self._made[key] = self._make(key)
        return self._made[key]

    def _make(self, needs: tuple[PlacedNeed, ...]) -> EffectivePolicy:
        plain = EffectivePolicy(self._base)
        missing = [placed for placed in needs if _decided(plain, placed).effect is Effect.DENY]
        granted = amend(self._base, (g for placed in missing if (g := grant(placed)) is not None))
        around = self._surroundings
        document = protect(
            granted,
            config_paths=self._config_paths,
            state_paths=around.state_paths,
            home=around.home,
            sockets=around.sockets,
        )
        effective = EffectivePolicy(document, digest=self._digest)
        for placed in needs:
            _check(effective, placed)
        if self._ceiling is not None:
            check_ceiling(document, self._ceiling)
        return effective


def _decided(policy: EffectivePolicy, placed: PlacedNeed) -> Decision:
    return decide(policy, action(placed, "self"))


def _check(policy: EffectivePolicy, placed: PlacedNeed) -> None:
    decision = _decided(policy, placed)
    # What nobody lists in `credentials` the launch may still set: only a name that is hidden collides.
    by_default = placed.need.kind == "env" and decision.statement == _default(policy, "credentials")
    if decision.effect is Effect.DENY and not by_default:
        said = policy.doc.provenance.get(decision.statement)
        where = f" ({said.level}: {said.source})" if said is not None else ""
        raise UnsatisfiableError(
            f"{placed}, which {decision.statement}{where} denies",
            source=said.source if said is not None else "",
            remedy="change the rule, or use a target that does without",
        )


def _default(policy: EffectivePolicy, aspect: str) -> str:
    found = policy.ids(f"{aspect}.default")
    return found[0] if found else ""


def home_of(surroundings: Surroundings, paths: Iterable[Mapping[str, str]]) -> str:
    """The home that was given, else the first that a use has."""
    return surroundings.home or next((p["home"] for p in paths if p.get("home")), "")
