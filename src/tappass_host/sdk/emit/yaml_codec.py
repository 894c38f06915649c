"""YAML that every reader reads alike: no aliases, no folding, and quotes wherever two dialects differ.

YAML 1.1 reads `on` and `1_0` as a boolean and a number, YAML 1.2 reads `0o14` and `1e3` as numbers; PyYAML
knows only the former. So text is written plain only if it is a word that no dialect takes for anything else.
"""

import re
from functools import cache
from typing import Any, Final

# Longer than any line: a folded scalar is one more thing to misread.
_WIDTH: Final = 1 << 30
_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*", re.ASCII)
# What YAML 1.1 and 1.2 readers take for a boolean or null when written plain (yaml.org/type, 2026-11).
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


def dump(doc: object) -> bytes:
    """Encode any plain value."""
    import yaml

    text: str = yaml.dump(doc, Dumper=_dumper(), sort_keys=False, width=_WIDTH, default_flow_style=False)
    return text.encode()


@cache
def _dumper() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(base):  # type: ignore[misc]  # either of two classes, known only here
        def ignore_aliases(self, _data: object) -> bool:
            return True

    Dumper.add_representer(str, _text)
    return Dumper


def _text(dumper: Any, value: str) -> Any:
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')
