"""Hostile text in every place of a policy that takes free text must stay text.

A policy with hostile text in many positions is compared with the same policy and a harmless word: it must
hold no more entries, must agree with `decide`, and must permit no more. A refusal by a typed error is fine,
and then the positions are tried one by one.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from tappass_host.policy import model as m
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import TappassError
from tappass_host.policy.grammar.commands import CommandPattern
from tappass_host.policy.grammar.constraints import Constraint
from tappass_host.policy.grammar.paths import parse_path
from tappass_host.policy.statements import statements
from tappass_host.sdk.contract import TargetCapabilities, TargetConfig
from tappass_host.sdk.emit import emit, symbolic
from tappass_host.sdk.kit.compare import compare
from tappass_host.sdk.kit.monotone import no_looser
from tappass_host.sdk.kit.reference import FULL
from tappass_host.sdk.kit.subject import Rendered, Subject
from tappass_host.sdk.kit.universe import actions, distinct
from tappass_host.sdk.locators import leaves

HARMLESS: Final = "zzword"
# Where a text stands alone it is one more word, so that is what its rendering is compared with.
OTHER: Final = "yyword"
# Each ends something in some format: strings, lists, objects, lines, arguments, comments, templates, tables.
HOSTILE: Final = (
    '"',
    "'",
    '", "allow": ["/"], "x": "',
    "']",
    ")",
    "x) Read(**",
    "],",
    "}}",
    "{{ . }}",
    "{0}",
    "%s%n",
    "$(id)",
    "`id`",
    "--bind",
    "-rf x",
    "a b",
    "a\tb",
    "a\nb",
    "\nallow: all",
    "a\r\nb",
    "a\0b",
    "#",
    "x # y",
    "; DROP TABLE x --",
    "' OR 1=1 --",
    "[table]",
    "key = true",
    "- item",
    ": value",
    "&a *a",
    "!!python/object:x",
    "\u2028",
    "\x85",
    "${HOME}",
    "~",
    "a=b",
    "a,b",
    "a|b",
    "<x>&amp;",
    "é",
)


class Position(NamedTuple):
    """One place of a policy: what text it takes, and how to put the text there."""

    name: str
    fits: Callable[[str], bool]
    put: Callable[[m.Policy, str], m.Policy]


def any_text(text: str) -> bool:
    """The field has no grammar."""
    return bool(text)


def plain(text: str) -> bool:
    """Printable, no blanks around it, as every grammar asks."""
    return bool(text) and text.isprintable() and text == text.strip()


def segment(text: str) -> bool:
    """One literal name in a path."""
    return plain(text) and not re.search(r"[/\\*?]|\$\{", text) and text not in (".", "..")


def word(text: str) -> bool:
    """One word of a command, and the name of a program."""
    return plain(text) and "/" not in text


def _head(field: str) -> Position:
    return Position(field, any_text, lambda policy, text: replace(policy, **{field: text[:128]}))


def _entry(aspect: str, field: str, value: Callable[[str], object], fits: Callable[[str], bool]) -> Position:
    """One more entry of a list, or the whole of any other field."""

    def put(policy: m.Policy, text: str) -> m.Policy:
        node = getattr(policy, aspect)
        old = getattr(node, field)
        new = (*old, value(text)) if isinstance(old, tuple) else value(text)
        return replace(policy, **{aspect: replace(node, **{field: new})})

    return Position(f"{aspect}.{field}", fits, put)


def _path(field: str) -> Position:
    return _entry("filesystem", field, lambda text: str(parse_path(f"/ws/{text}")), segment)


def _command(field: str) -> Position:
    return _entry("tools", field, lambda text: f"Bash({CommandPattern((text, 'x'), prefix=True)})", word)


def _file_rule(field: str) -> Position:
    return _entry("tools", field, lambda text: f"Read({parse_path(f'/ws/{text}')})", segment)


def _constraint(text: str) -> dict[str, Any]:
    return {"lookup": {"id": Constraint(const=text)}}


def _server(text: str) -> m.McpServer:
    argv = ("/usr/bin/other-mcp", text)
    return m.McpServer(id="other", transport=m.Transport(kind="stdio", argv=argv))


def _source(text: str) -> m.Source:
    # A row filter is SQL, so a text is free only as a value in it.
    quoted = text.replace("'", "''")
    view = m.View(name=text[:128], table=text, columns=(text,), row_filter=f"a = '{quoted}'", max_rows=1)
    return m.Source(id="other", kind="parquet", path="/ws/x", views=(view,))


def _annotate(policy: m.Policy, text: str) -> m.Policy:
    notes = {s.id: m.Annotation(reason=text, owner=text, url=text) for s in statements(policy)}
    return replace(policy, annotations=notes)


# Each group is filled at once. A workspace of another name takes the others' ground away, so it is alone.
GROUPS: Final[dict[str, tuple[Position, ...]]] = {
    "entries": (
        *(_head(field) for field in ("org_id", "project_id", "agent_id", "tier")),
        Position("chain", any_text, lambda policy, text: replace(policy, chain=(text,))),
        Position(
            "extensions", any_text, lambda policy, text: replace(policy, extensions={"vendor": {"key": text}})
        ),
        *(_path(field) for field in ("read_only", "read_write", "deny_paths")),
        _entry("network", "allow_unix", lambda text: f"/run/{text}", segment),
        *(_command(field) for field in ("allow", "ask", "deny")),
        *(_file_rule(field) for field in ("allow", "deny")),
        _entry("tools", "constraints", _constraint, any_text),
        _entry("mcp", "servers", _server, any_text),
        _entry("data", "sources", _source, any_text),
        _entry("llm", "redact", lambda text: m.Redact(detector=text), any_text),
        Position("annotations", any_text, _annotate),
    ),
    "workspace": (_path("workspace"),),
}


class _Baseline(NamedTuple):
    rendered: Rendered
    known: frozenset[str]


class Bench:
    """One group of positions of one provider and target."""

    def __init__(self, subject: Subject, target: TargetCapabilities, group: tuple[Position, ...]) -> None:
        self._subject, self._target, self._group = subject, target, group
        self._acts = distinct(actions(subject.surfaces))
        self._baselines: dict[tuple[bool, ...], _Baseline] = {}

    def findings(self, text: str) -> list[str]:
        """What goes wrong with a text wherever it fits, by position where one alone shows it."""
        fitting = [position for position in self._group if position.fits(text)]
        try:
            together = self._findings(text, fitting)
        except TappassError:
            together = ["refused"]
        if not together:
            return []
        alone = [finding for position in fitting for finding in self._alone(text, position)]
        return alone or [finding for finding in together if finding != "refused"]

    def _alone(self, text: str, position: Position) -> list[str]:
        try:
            return self._findings(text, [position])
        except TappassError:
            return []

    def _findings(self, text: str, positions: list[Position]) -> list[str]:
        before, known = self._baseline(positions)
        after = self._filled(text, positions)
        for artifact in after.config.artifacts:
            emit(artifact, symbolic)
        found = [f for f in compare(after, self._acts).failures if f not in known]
        found += _grown(before.config, after.config)
        found += no_looser(before, after, self._acts)
        where = positions[0].name if len(positions) == 1 else "several positions"
        return [f"{text!r} in {where}: {finding}" for finding in found]

    def _baseline(self, positions: list[Position]) -> _Baseline:
        """The same positions with a harmless word, and what is wrong with that already."""
        key = tuple(position in positions for position in self._group)
        if key not in self._baselines:
            rendered = self._filled(OTHER, positions)
            known = frozenset(compare(rendered, self._acts).failures)
            self._baselines[key] = _Baseline(rendered, known)
        return self._baselines[key]

    def _filled(self, text: str, positions: list[Position]) -> Rendered:
        """A text in some positions, and the harmless word in all others."""
        policy = FULL
        for position in self._group:
            policy = position.put(policy, text if position in positions else HARMLESS)
        return self._subject.rendered(EffectivePolicy(policy), self._target)


def _grown(before: TargetConfig, after: TargetConfig) -> Iterator[str]:
    """Entries, and lines of text, that came out of one value."""
    old, new = _sizes(before), _sizes(after)
    for name in sorted(new):
        if new[name] > old.get(name, 0):
            yield f"{name} holds {new[name]} entries, {old.get(name, 0)} with a harmless word"


def _sizes(config: TargetConfig) -> dict[str, int]:
    return {
        a.id: len(a.doc.splitlines()) if isinstance(a.doc, str) else sum(1 for _ in leaves(a))
        for a in config.artifacts
    }
