"""Gate 1 as a test class: `TestMine = conformance("my_pkg.provider", "my_pkg.reader", looser=3)`.

A higher ceiling than needed hides a regression, and a high one means that claims blame too coarsely.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tappass_host.policy.actions import Action
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.surfaces import SURFACES
from tappass_host.sdk.changes import changes
from tappass_host.sdk.kit import checks, compare, injection, monotone, purity, separate, strategies
from tappass_host.sdk.kit.excused import excuses
from tappass_host.sdk.kit.reference import PROBING, REFERENCE, reference
from tappass_host.sdk.kit.subject import Rendered, Settings, Subject
from tappass_host.sdk.kit.universe import actions, distinct
from tappass_host.sdk.kit.written import digest

_SHOWN = 20
_every_policy = pytest.mark.parametrize("name", [*REFERENCE, *PROBING])


class Conformance:
    """Every check of gate 1. Made by `conformance`."""

    subject: ClassVar[Subject]

    def test_info(self) -> None:
        """INFO names what exists."""
        fail_on(checks.info_is_sound(self.subject.info))

    def test_options(self) -> None:
        """Options decode."""
        fail_on(checks.options_decode(self.subject.info))

    def test_pure_source(self) -> None:
        """No I/O, clock, environment or randomness, and the reader is independent."""
        subject = self.subject
        fail_on(purity.findings(subject.provider, subject.reader, subject.settings.imports))

    def test_same_bytes_in_another_process(self) -> None:
        """Another hash seed, environment and folder change nothing, and nothing is touched."""
        fail_on(separate.differences(self.subject))

    @_every_policy
    def test_repeats(self, name: str) -> None:
        """Rendering again gives the same bytes and claims."""
        for rendered in self.subject.reference(name):
            again = self.subject.render(rendered.policy, rendered.target)
            assert digest(again) == digest(rendered.config)
            effects = self.subject.info.effects
            assert not changes(rendered.config.artifacts, again.artifacts, effects).entries

    @_every_policy
    def test_renders_before_anything_is_known(self, name: str) -> None:
        """Unanswered questions lead to a rendering that still claims everything."""
        for target in self.subject.targets:
            config = self.subject.render(reference(name), target)
            rendered = Rendered(reference(name), target, config, self.subject.read(config.artifacts))
            fail_on(checks.claims_are_total(rendered, self.subject.info))
            fail_on(compare.compare(rendered, self._actions()).failures)

    @_every_policy
    def test_claims(self, name: str) -> None:
        """Claims are total, sound, and point at entries that are there."""
        for rendered in self.subject.reference(name):
            fail_on(checks.claims_are_total(rendered, self.subject.info))
            fail_on(checks.claims_are_sound(rendered))
            fail_on(checks.locators_exist(rendered))

    @_every_policy
    def test_documents(self, name: str) -> None:
        """Every entry is credited, and its effect is declared."""
        for rendered in self.subject.reference(name):
            fail_on(checks.artifacts_are_apart(rendered))
            fail_on(checks.leaves_are_credited(rendered))
            fail_on(checks.effects_cover(rendered, self.subject.info))

    @_every_policy
    def test_permits_what_the_policy_does(self, name: str) -> None:
        """The reader's rulings agree with `decide`, but for what a claim admits."""
        for rendered in self.subject.reference(name):
            fail_on(compare.compare(rendered, self._actions()).failures)

    def test_excuses_stay_below_the_ceiling(self) -> None:
        """What claims admit is counted, over all reference policies and targets."""
        excused = excuses(self.subject)
        for kind in ("looser", "stricter"):
            found, ceiling = getattr(excused, kind), getattr(self.subject.settings, kind)
            assert len(found) <= ceiling, _listed(found, f"{len(found)} {kind}, declared at most {ceiling}")

    def test_generated_policies(self) -> None:
        """All of the above on policies nobody thought of."""
        acts = distinct(self._actions())

        @self._generated
        @given(strategies.policies(self._aspects()), st.sampled_from(self.subject.targets))
        def run(policy: Any, target: Any) -> None:
            rendered = self.subject.rendered(EffectivePolicy(policy), target)
            fail_on(checks.claims_are_total(rendered, self.subject.info))
            fail_on(checks.claims_are_sound(rendered))
            fail_on(checks.locators_exist(rendered))
            fail_on(checks.leaves_are_credited(rendered))
            fail_on(compare.compare(rendered, acts).failures)

        run()

    @_every_policy
    def test_monotone(self, name: str) -> None:
        """Removing a grant or adding a deny never permits more."""
        acts = distinct(self._actions())
        for before in self.subject.reference(name):
            for step in self._steps(before.policy.doc):
                fail_on(self._step(before, step, acts))

    def test_generated_monotone(self) -> None:
        """The same on policies nobody thought of."""
        acts = distinct(self._actions())

        @self._generated
        @given(strategies.policies(self._aspects()), st.sampled_from(self.subject.targets), st.data())
        def run(policy: Any, target: Any, data: Any) -> None:
            steps = self._steps(policy)
            if steps:
                before = self.subject.rendered(EffectivePolicy(policy), target)
                fail_on(self._step(before, data.draw(st.sampled_from(steps)), acts))

        run()

    @pytest.mark.parametrize("group", list(injection.GROUPS))
    def test_text_stays_text(self, group: str) -> None:
        """Hostile text in a free place of a policy changes no structure and permits no more."""
        for target in self.subject.targets:
            bench = injection.Bench(self.subject, target, injection.GROUPS[group])
            fail_on(finding for text in injection.HOSTILE for finding in bench.findings(text))

        @self._generated
        @given(strategies.hostile())
        def run(text: str) -> None:
            fail_on(bench.findings(text))

        run()

    def _generated(self, run: Callable[..., None]) -> Callable[..., None]:
        """Deterministic unless more examples are asked for than usual: those go looking for something new."""
        examples = self.subject.settings.examples
        bounded: Callable[..., None] = settings(
            max_examples=examples,
            derandomize=examples <= Settings().examples,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )(run)
        return bounded

    def _steps(self, policy: Any) -> list[monotone.Step]:
        covered = self.subject.info.covers
        return [step for step in monotone.steps(policy) if step.what.partition(".")[0] in covered]

    def _step(self, before: Rendered, step: monotone.Step, acts: tuple[Action, ...]) -> list[str]:
        after = self.subject.rendered(EffectivePolicy(step.policy), before.target)
        return [f"{step.what}: {finding}" for finding in monotone.no_looser(before, after, acts)]

    def _actions(self) -> tuple[Action, ...]:
        return actions(self.subject.surfaces)

    def _aspects(self) -> frozenset[str]:
        """What the provider speaks of, and what its grants are met with."""
        spoken = frozenset(self.subject.info.covers) & frozenset(strategies.ASPECTS)
        return spoken | {"filesystem", "network", "tools"}


def conformance(provider: str, reader: str, **declared: Any) -> type[Conformance]:
    """The test class of a provider.

    Args:
        provider: dotted name of the module with INFO and render.
        reader: dotted name of the module with read.
        declared: fields of `Settings`.
    """
    subject = Subject(provider, reader, Settings(**declared))
    return type("TestConformance", (Conformance,), {"subject": subject})


def fail_on(findings: Iterable[str]) -> None:
    """Fail the test with the findings, if there are any, and with nothing of the kit's own code."""
    __tracebackhide__ = True
    found = list(findings)
    if found:
        raise AssertionError(_listed(found, f"{len(found)} findings"))


def _listed(found: Iterable[str], title: str) -> str:
    lines = _folded(found)
    more = [f"... {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "\n".join([title, *lines[:_SHOWN], *more])


def _folded(found: Iterable[str]) -> list[str]:
    """Findings that differ only in the surface, in one line."""
    folded: dict[tuple[str, str], list[str]] = {}
    for finding in found:
        head, at, tail = finding.partition("@")
        surface, blank, rest = tail.partition(" ")
        key = (head, rest) if surface in SURFACES else (finding, "")
        folded.setdefault(key, []).append(f"{at}{surface}{blank}" if rest else "")
    return [f"{head}{_surfaces(some)}{rest}" for (head, rest), some in folded.items()]


def _surfaces(some: list[str]) -> str:
    return f"@{','.join(s.strip('@ ') for s in some)} " if some[0] else ""
