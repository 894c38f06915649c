"""The Runtime compiler: one bound policy and one recipe to a plan. Pure.

    plan = compile_runtime(policy, recipe, providers, capabilities)

Effective policies, rendering, the checks between uses, the join, and then whatever the Runtime says about
gaps, until nothing is left to rewrite.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from tappass_host.compiler.checks import Natives, check_paths, unmet_needs
from tappass_host.compiler.coverage import Coverage
from tappass_host.compiler.effective import Surroundings, home_of
from tappass_host.compiler.gaps import settle
from tappass_host.compiler.join import join
from tappass_host.compiler.plan import Asked, Plan, artifacts_of, launches_of, sealed, uses_of
from tappass_host.compiler.providers import Providers
from tappass_host.compiler.recipe import Recipe, normal, runtime_digest
from tappass_host.compiler.rendering import Renderer, Rendering
from tappass_host.compiler.requirements import Requirements
from tappass_host.compiler.stricter import Rewrite
from tappass_host.compiler.system import Member, System
from tappass_host.compiler.topology import Topology
from tappass_host.policy.actions import Action
from tappass_host.policy.canonical import canonical_bytes, digest
from tappass_host.policy.ceiling import Ceiling
from tappass_host.policy.errors import (
    BindError,
    MissingTargetError,
    ProviderError,
    RecipeError,
    SchemaError,
    UnsatisfiableError,
)
from tappass_host.policy.model import ASPECTS, Policy
from tappass_host.sdk.contract import Options, TargetCapabilities
from tappass_host.sdk.facts import UNKNOWN, Answer, Query, Unknown
from tappass_host.sdk.reader import Ruling

# A rewrite takes away an ask, a default or an open tool; there are few kinds, and none brings another back.
_REWRITE_ROUNDS: Final = 8
# A provider may ask again about what an answer led to (a link, then what it points at), but not for ever.
_ANSWER_ROUNDS: Final = 16

Answerer = Callable[[Query], Answer | Unknown]


class _Joined(NamedTuple):
    rendering: Rendering
    coverage: Coverage
    asked: tuple[Asked, ...]
    unmet: tuple[str, ...]


def compile_runtime(
    policy: Policy,
    recipe: Recipe,
    providers: Providers,
    capabilities: Mapping[str, TargetCapabilities],
    *,
    surroundings: Surroundings | None = None,
    ceiling: Ceiling | None = None,
    policy_digest: str = "",
    refuse_gaps: bool = True,
) -> Plan:
    """Compile a policy for a Runtime.

    While the host still has questions to answer (`asked`), whatever hangs on the answers is rendered on the
    safe side and neither refused nor rewritten: the plan is not `final` then.

    Args:
        policy: signed, verified and bound.
        recipe: the Runtime.
        providers: id -> loaded provider.
        capabilities: use id -> the target as it is here: version, platform, paths, facts. Options come from
            the recipe; offers, inner and inside are filled in here.
        surroundings: what self-protection has to know about the host.
        ceiling: the device ceiling, if there is one.
        policy_digest: of the bytes that were signed; by default that of the canonical bound policy.
        refuse_gaps: False to see the coverage of a Runtime that `on_gap` would refuse or rewrite.

    Raises:
        RecipeError: the recipe does not fit the providers.
        MissingTargetError: a use has no capabilities.
        UnsatisfiableError: a need collides with a restriction, two uses want one file, or `on_gap` refuses.
        CeilingError: above the device ceiling.
        ProviderError: a provider breaks its contract.
    """
    compiler = _Compiler(
        policy,
        recipe,
        providers,
        capabilities,
        around=surroundings,
        ceiling=ceiling,
        policy_digest=policy_digest,
    )
    return compiler.plan(refuse_gaps=refuse_gaps)


def compile_until_settled(
    answer: Answerer,
    policy: Policy,
    recipe: Recipe,
    providers: Providers,
    capabilities: Mapping[str, TargetCapabilities],
    *,
    surroundings: Surroundings | None = None,
    ceiling: Ceiling | None = None,
    policy_digest: str = "",
    refuse_gaps: bool = True,
) -> Plan:
    """Compile, answer what was asked, and compile again until nothing is asked that can be answered.

    `answer` is called once for each question; `UNKNOWN` leaves it open, and then the plan has to hold as it
    is. Everything else as `compile_runtime`.

    Raises:
        ProviderError: a provider goes on asking.
    """
    compiler = _Compiler(
        policy,
        recipe,
        providers,
        capabilities,
        around=surroundings,
        ceiling=ceiling,
        policy_digest=policy_digest,
    )
    answers: dict[str, Answer | Unknown] = {}
    # Gaps and needs are judged only on what is known in the end.
    for final in (False, True):
        for _ in range(_ANSWER_ROUNDS):
            plan = compiler.plan(refuse_gaps=refuse_gaps and final, final=final)
            for asked in plan.asked:
                if asked.query.key not in answers:
                    answers[asked.query.key] = compiler.foreseen(asked.query, answer(asked.query))
            if not compiler.learn(plan.asked, answers):
                break
        else:
            raise ProviderError(f"still asking after {_ANSWER_ROUNDS} rounds: {plan.asked[0].query.key}")
    return plan


class _Compiler:
    """One policy, one recipe."""

    def __init__(
        self,
        policy: Policy,
        recipe: Recipe,
        providers: Providers,
        capabilities: Mapping[str, TargetCapabilities],
        *,
        around: Surroundings | None,
        ceiling: Ceiling | None,
        policy_digest: str,
    ) -> None:
        self.policy, self.recipe = policy, normal(recipe)
        self.files: tuple[str, ...] = ()
        self.policy_digest = policy_digest or digest(canonical_bytes(policy))
        self.topology = Topology(self.recipe, providers)
        self.capabilities = {use: self._target(use, capabilities) for use in self.topology.order}
        self.renderer = Renderer(
            self.topology,
            self.capabilities,
            self._around(around or Surroundings()),
            ceiling,
            policy_digest=self.policy_digest,
        )

    def _target(self, use: str, capabilities: Mapping[str, TargetCapabilities]) -> TargetCapabilities:
        target = capabilities.get(use)
        info = self.topology.infos[use]
        if target is None:
            raise MissingTargetError(
                f"nothing is known of {info.target} for {use}", remedy=f"install {info.target}"
            )
        if target.platform != self.recipe.platform:
            what = f"{use} is on {target.platform}, the Runtime is for {self.recipe.platform}"
            raise MissingTargetError(what)
        return msgspec.structs.replace(target, options=self._options(use, target))

    def _options(self, use: str, target: TargetCapabilities) -> Options:
        from tappass_host.policy.decode import convert

        kind, given = self.topology.infos[use].options, self.topology.uses[use].options
        if not given and isinstance(target.options, kind):
            return target.options
        try:
            return convert(given, kind)
        except SchemaError as error:
            index = [u.id for u in self.recipe.uses].index(use)
            raise RecipeError(
                f"options of {use}: {error.message}", pointer=f"/uses/{index}/options{error.pointer}"
            ) from None

    def _around(self, surroundings: Surroundings) -> Surroundings:
        home = home_of(surroundings, (target.paths for target in self.capabilities.values()))
        if not home:
            remedy = "give surroundings.home, or paths['home'] of a use"
            raise BindError("the home of the sandbox user is not known", remedy=remedy)
        return msgspec.structs.replace(surroundings, home=home)

    def foreseen(self, query: Query, known: Answer | Unknown) -> Answer | Unknown:
        """What the host will answer once the plan is applied: what it writes is missing only until then."""
        if query.kind == "path_kind" and known == "missing":
            if query.arg in self.files:
                return "file"
            if any(path.startswith(query.arg.rstrip("/") + "/") for path in self.files):
                return "dir"
        return known

    def learn(self, asked: Iterable[Asked], answers: Mapping[str, Answer | Unknown]) -> bool:
        """Take in answers; True if there was any."""
        new = False
        for question in asked:
            known = answers.get(question.query.key, UNKNOWN)
            if known is not UNKNOWN:
                target = self.capabilities[question.use]
                facts = {**target.facts, question.query.key: known}
                self.capabilities[question.use] = msgspec.structs.replace(target, facts=facts)
                new = True
        return new

    def plan(self, *, refuse_gaps: bool, final: bool = False) -> Plan:
        """Compile once with what is known. `final` means that open questions will stay open."""
        joined = self._joined(self.policy, final=final)
        if not refuse_gaps or (joined.asked and not final):
            return self._sealed(joined, (), (), final=False)
        policy = self.policy
        rewrites: tuple[Rewrite, ...] = ()
        for _ in range(_REWRITE_ROUNDS):
            done = {rewrite.statement for rewrite in rewrites}
            settled = settle(self.recipe, policy, joined.coverage, rewritten=done)
            if not settled.rewrites:
                return self._sealed(joined, rewrites, settled.warnings, final=True)
            policy, rewrites = settled.policy, (*rewrites, *settled.rewrites)
            joined = self._joined(policy, final=final)
        raise ProviderError("on_gap: stricter finds no end of gaps")

    def _joined(self, policy: Policy, *, final: bool) -> _Joined:
        rendering = self.renderer.render(policy)
        self.files = rendering.files
        natives = Natives(self.topology, rendering)
        check_paths(rendering.uses)
        requirements = Requirements(self._system(rendering, natives))
        coverage = join(
            requirements.system,
            accept_cooperative=self.recipe.accept_cooperative,
            unmanaged=[aspect for aspect in ASPECTS if getattr(self.policy, aspect) is None],
            requirements=requirements,
        )
        asked = self._asked(rendering, requirements)
        unmet = tuple(unmet_needs(self.topology, rendering, natives))
        # What the host may still answer is rendered on the safe side, and stands in the way only until then.
        if unmet and (final or not asked):
            raise UnsatisfiableError("; ".join(unmet), remedy="grant it in the policy, or change the Runtime")
        return _Joined(rendering, coverage, asked, unmet)

    def _system(self, rendering: Rendering, natives: Natives) -> System:
        def permits(use: str) -> Callable[[Action], Ruling | None]:
            return lambda action: natives.of(use).permits(action) if natives.has_reader(use) else None

        members = (
            Member(
                id=use,
                names=frozenset({self.topology.infos[use].id, *self.topology.infos[use].aliases}),
                brings=self.topology.infos[use].brings,
                claims=rendered.config.claims,
                policy=rendered.policy,
                facts=rendered.target.facts,
                enclosers=self.topology.enclosers(use),
                permits=permits(use),
            )
            for use, rendered in rendering.uses.items()
        )
        return System(members, rendering.wired)

    def _asked(self, rendering: Rendering, requirements: Requirements) -> tuple[Asked, ...]:
        pairs = {(use, query) for use, rendered in rendering.uses.items() for query in rendered.config.asked}
        pairs.update(requirements.asked.values())
        return tuple(Asked(use=use, kind=query.kind, arg=query.arg) for use, query in sorted(pairs))

    def _sealed(
        self,
        joined: _Joined,
        rewrites: tuple[Rewrite, ...],
        warnings: tuple[str, ...],
        *,
        final: bool,
    ) -> Plan:
        plan = Plan(
            runtime=self.recipe.name,
            runtime_digest=runtime_digest(self.recipe),
            policy_version=self.policy.version,
            policy_digest=self.policy_digest,
            uses=uses_of(self.topology, joined.rendering),
            artifacts=artifacts_of(joined.rendering),
            launches=launches_of(self.topology, joined.rendering),
            coverage=joined.coverage,
            asked=joined.asked,
            rewrites=rewrites,
            warnings=(*self._remarks(), *joined.unmet, *warnings),
            final=final,
        )
        return sealed(plan)

    def _remarks(self) -> tuple[str, ...]:
        found: list[str] = []
        for use in self.topology.order:
            info, version = self.topology.infos[use], self.capabilities[use].version
            if info.preview:
                found.append(f"{use}: provider {info.id} is a preview")
            if info.versions and version not in info.versions:
                found.append(
                    f"{use}: {info.target} {version} is unproven here, tried were {', '.join(info.versions)}"
                )
        return tuple(found)
