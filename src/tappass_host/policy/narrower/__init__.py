"""Is one policy narrower than another, and if not, what does it open up.

`is_narrower` is conservative: true only when proven, entry by entry, with the grammars' own `covers`. What
stands in the way of a proof is a `Widening`; where `decide` confirms an example, it names an action that the
old policy denies (or asks about) and the new one lets through, else it says that narrower was not proven.
Times of validity, version and audience are no part of it: they move with every renewal.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tappass_host.policy.actions import Action
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import ASPECTS, Policy
from tappass_host.policy.narrower.filesystem import filesystem_gaps
from tappass_host.policy.narrower.gap import Gap, gap
from tappass_host.policy.narrower.limits import (
    budget_gaps,
    credential_gaps,
    data_gaps,
    head_gaps,
    interpreter_gaps,
    llm_gaps,
    process_gaps,
)
from tappass_host.policy.narrower.network import network_gaps
from tappass_host.policy.narrower.servers import mcp_gaps
from tappass_host.policy.narrower.tools import tools_gaps

__all__ = ["Widening", "is_narrower", "widenings"]


class Widening(NamedTuple):
    """One thing that the new policy opens up, or may open up.

    Attributes:
        statement: the statement of the new policy that grants it, or of the old one that is gone.
        why: in a few words.
        action: an action that the new policy treats more loosely, confirmed by `decide`; None if none was
            found, and then all that is known is that narrower cannot be proven.
        old: what the old policy says of the action.
        new: what the new one says.
    """

    statement: str
    why: str
    action: Action | None
    old: str
    new: str


_ASPECT_GAPS: dict[str, Callable[[EffectivePolicy, EffectivePolicy], Iterator[Gap]]] = {
    "network": network_gaps,
    "filesystem": filesystem_gaps,
    "tools": tools_gaps,
    "mcp": mcp_gaps,
    "interpreter": interpreter_gaps,
    "data": data_gaps,
    "llm": llm_gaps,
    "budget": budget_gaps,
    "process": process_gaps,
    "credentials": credential_gaps,
}


def is_narrower(a: Policy, b: Policy) -> bool:
    """Tell whether whatever `a` permits is proven to be permitted by `b`."""
    return next(_gaps(EffectivePolicy(a), EffectivePolicy(b)), None) is None


def widenings(old: Policy, new: Policy) -> list[Widening]:
    """What `new` opens up compared with `old`, sorted by statement; empty if it is proven narrower."""
    before, after = EffectivePolicy(old), EffectivePolicy(new)
    # Two gaps can be about one statement; a reader needs each reason once.
    gaps = {(each.statement, each.why): each for each in _gaps(after, before)}
    return [_widening(before, after, gaps[key]) for key in sorted(gaps)]


def _gaps(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    yield from head_gaps(new, old)
    for aspect in ASPECTS:
        if getattr(old.doc, aspect) is None:
            continue
        if getattr(new.doc, aspect) is None:
            yield gap(f"{aspect}.default", f"{aspect} is no longer managed")
        else:
            yield from _ASPECT_GAPS[aspect](new, old)


def _widening(old: EffectivePolicy, new: EffectivePolicy, each: Gap) -> Widening:
    from tappass_host.policy.decide import decide

    best: tuple[int, Action, str, str] | None = None
    for action in each.actions:
        before, after = decide(old, action).effect, decide(new, action).effect
        size = before.strictness - after.strictness
        if size > 0 and (best is None or size > best[0]):
            best = (size, action, before.value, after.value)
    if best is None:
        return Widening(each.statement, f"{each.why}; cannot be proven narrower", None, "", "")
    return Widening(each.statement, each.why, *best[1:])
