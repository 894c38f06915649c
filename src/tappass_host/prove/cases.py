"""The action corpus: what is tried on a real target, derived from the policy that it runs under.

One corpus for each surface, shared by every target that has the surface. A case is target-neutral: what is
tried, which actions that is, and a mark that shows it worked. What should happen is never written down here:
`decide` says it.
"""

from typing import NamedTuple

from tappass_host.policy.actions import Action
from tappass_host.policy.decide import Decision, decide
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.surfaces import Surface


class Case(NamedTuple):
    """One thing to try.

    Attributes:
        id: unique in the corpus, stable between runs, e.g. `exec/read-denied/~/.ssh`.
        title: how a person would say it, short enough for a table.
        surface: where it is tried.
        actions: what it amounts to; the strictest verdict over them is expected.
        attempt: target-neutral instruction; its first word is the kind of attempt.
        mark: text that only a successful attempt can show; empty where success shows otherwise.
    """

    id: str
    title: str
    surface: Surface
    actions: tuple[Action, ...]
    attempt: tuple[str, ...]
    mark: str = ""

    def expected(self, policy: EffectivePolicy) -> Decision:
        """The strictest verdict of `decide` over the actions."""
        return max((decide(policy, act) for act in self.actions), key=lambda d: d.effect.strictness)
