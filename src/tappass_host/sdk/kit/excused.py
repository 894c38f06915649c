"""How much of a provider stands on excuses: counted by the kit, shown by coverage.

Needs neither pytest nor hypothesis, so that a command can show it.
"""

from tappass_host.sdk.kit.compare import Comparison, compare
from tappass_host.sdk.kit.reference import REFERENCE
from tappass_host.sdk.kit.subject import Subject
from tappass_host.sdk.kit.universe import actions


def excuses(subject: Subject) -> Comparison:
    """What is looser or stricter under a claim that admits it, over all reference policies."""
    found: dict[str, list[str]] = {"failures": [], "looser": [], "stricter": []}
    acts = actions(subject.surfaces)
    for name in REFERENCE:
        for rendered in subject.reference(name):
            compared = compare(rendered, acts)
            for kind, findings in found.items():
                findings += [f"[{name}] {finding}" for finding in getattr(compared, kind)]
    return Comparison(*(tuple(found[kind]) for kind in ("failures", "looser", "stricter")))
