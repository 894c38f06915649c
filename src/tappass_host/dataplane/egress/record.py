"""Where verdicts go. The proxy calls a `Record` before it acts; if that raises, the answer is no."""

import datetime as dt
import json
import sys
from collections.abc import Callable

Event = dict[str, object]
Record = Callable[[Event], None]


def to_stderr(event: Event) -> None:
    """One JSON line per verdict; escapes everything that is not printable ASCII."""
    stamped = {"time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"), **event}
    sys.stderr.write(json.dumps(stamped, sort_keys=True) + "\n")
    sys.stderr.flush()
