"""What became of one action, in the same words for every target."""

from typing import Literal, NamedTuple

Kind = Literal["ran", "denied", "unapproved", "error", "timeout"]


class Verdict(NamedTuple):
    """What became of one action.

    - `ran`: the target carried it out. `failed` says that the action itself came to nothing, as a
      command does that the operating system refused: what that proves is for the caller to judge.
    - `denied`: a rule of the target refused it; `by` names the kind of rule.
    - `unapproved`: nobody was there to answer a prompt. This is not a denial.
    - `error`: the action never came to a decision (bad input, unknown tool, crashed target).
    - `timeout`: the target was still busy when time was up. This is not a denial either.
    """

    kind: Kind
    by: str = ""
    text: str = ""
    failed: bool = False
