"""Coverage as data: what a provider says about each statement, where, how strongly and on what evidence."""

from typing import Literal, NamedTuple

from tappass_host.policy.actions import Action
from tappass_host.policy.surfaces import Surface

Verdict = Literal["enforced", "partial", "unenforceable"]
Strength = Literal["compulsory", "cooperative"]
Fidelity = Literal["exact", "stricter"]


class Component(NamedTuple):
    """The claim needs a service of ours, by provider id. Missing: unenforceable."""

    id: str


class Denied(NamedTuple):
    """The claim needs this action denied, compulsorily, wherever the served use acts. Unmet: partial."""

    action: Action


class Fact(NamedTuple):
    """The claim needs the host to answer so. Unmet: partial, the requirement is the escape."""

    kind: str
    arg: str
    answer: str


Requirement = Component | Denied | Fact


class Evidence(NamedTuple):
    """Why we may say so: a vendor page with the date it was read, the versions it was tried on, a probe.

    A claim without a `probe` reads `documented`, never `live`.
    """

    url: str
    date: str
    versions: tuple[str, ...] = ()
    probe: str = ""


class Reach(NamedTuple):
    """One place of a target where entries bite. Providers hold one constant for each.

    Attributes:
        id: short name, unique within the provider, e.g. `permissions`.
        surfaces: which ways of acting pass this place.
        strength: `compulsory` when the OS, a hypervisor, an interpreter or another process holds it.
        requires: what must hold besides.
        escape: a standing way round; every claim here is then at best partial, and names it.
    """

    id: str
    surfaces: tuple[Surface, ...]
    strength: Strength
    evidence: Evidence
    requires: tuple[Requirement, ...] = ()
    escape: str = ""


class Claim(NamedTuple):
    """What one place of a target does about one statement."""

    statement: str
    reach: Reach
    verdict: Verdict
    fidelity: Fidelity = "exact"
    reason: str = ""
    locators: tuple[str, ...] = ()


class Item(NamedTuple):
    """One target-shaped thing made by a lowering, before it is spelled in the target's own words.

    Attributes:
        op: what to do (`default`, `grant`, `narrow`, `pin`, `deny`, `allow`, `ask`, ...).
        value: typed, per op.
        origins: ids of the statements it stands for.
        fidelity: `stricter` if it forbids more than its statement says.
        loss: a named way round: the claim is partial.
        refused: why the target cannot hold it: the claim is unenforceable and nothing is emitted.
        under: ids of statements whose entries make this one true already: the claim is copied from them.
    """

    op: str
    value: object
    origins: tuple[str, ...]
    fidelity: Fidelity = "exact"
    loss: str = ""
    refused: str = ""
    under: tuple[str, ...] = ()
