"""Something worth a person's look that is no error."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One finding: a stable code, one sentence, where it is written, what could be done, which statement."""

    code: str
    message: str
    source: str = ""
    remedy: str = ""
    statement: str = ""
