"""Binding: `${workspace}`, `~` and other parameters become the literal values of one host. Pure.

A value is data, never syntax: it is checked against its type and bounds, and put into parsed entries, so that
no value can end a quote, widen a glob or leave the folders that the policy declares for it. The bound policy
carries the values as defaults of its parameters, so that audit and digests see them.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tappass_host.policy.errors import BindError, GrammarError
from tappass_host.policy.grammar.canonical import canonical_entry
from tappass_host.policy.grammar.commands import CommandPattern
from tappass_host.policy.grammar.constraints import Constraint, parse_constraint
from tappass_host.policy.grammar.paths import PathRule, parse_path
from tappass_host.policy.grammar.tools import parse_tool
from tappass_host.policy.model import Param, Policy, Transport
from tappass_host.policy.statements import statements
from tappass_host.policy.validate import respell
from tappass_host.policy.wire import pointer

# Known on every host without a declaration: the home, name and number of the sandbox user.
BUILT_IN: dict[str, Param] = {
    "home": Param(type="path"),
    "user": Param(type="string"),
    "uid": Param(type="uid"),
}

_REFERENCE = re.compile(r"\$\{([a-z_][a-z0-9_]*)\}")
_PATHS = ("filesystem.workspace", "filesystem.read_only", "filesystem.read_write", "filesystem.deny_paths")
_PATH_FIELDS = frozenset((*_PATHS, "network.allow_unix", "data.sources.path"))
_TOOL_FIELDS = frozenset(f"tools.{f}" for f in ("allow", "ask", "deny", "deny_if_tainted", "taint_sources"))
_UID_MAX = 2**32 - 2
# Globs, quotes, expansions and escapes of every language that an artifact may be written in.
_NEVER_IN_PATH = frozenset("*?[]{}\\$`'\"~")
_STRING = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._@+-]{0,254}[A-Za-z0-9_])?")


def bind(policy: Policy, values: Mapping[str, str]) -> Policy:
    """Put values in place of parameters.

    Args:
        policy: a compiled policy.
        values: by parameter name; `home` also stands for `~`.

    Raises:
        BindError: a value is missing, unknown, of the wrong type or out of bounds; the pointer names the
            parameter, or the entry that it does not fit.
    """
    known = _checked(policy, values)
    binder = _Binder(known)
    bound = respell(policy, binder.value)
    renamed = {s.id: binder.statement_id(s.id, s.field, s.entry) for s in statements(policy)}
    params = {
        name: msgspec.structs.replace(param, default=known[name]) for name, param in policy.params.items()
    }
    return msgspec.structs.replace(
        bound,
        params=params,
        provenance=_rename(policy.provenance, renamed),
        annotations=_rename(policy.annotations, renamed),
        compliance_tags={
            tag: tuple(sorted({renamed.get(i, i) for i in ids}))
            for tag, ids in policy.compliance_tags.items()
        },
    )


def _rename(table: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for ident in sorted(table):
        # Two spellings of one path become one statement: the first keeps its place.
        found.setdefault(renamed.get(ident, ident), table[ident])
    return dict(sorted(found.items()))


def _checked(policy: Policy, values: Mapping[str, str]) -> dict[str, str]:
    declared = {**BUILT_IN, **policy.params}
    for name in values:
        if name not in declared:
            remedy = f"declared are: {', '.join(sorted(declared))}"
            raise BindError(
                f"parameter {name!r} is not declared", pointer=pointer(("params",)), remedy=remedy
            )
    known: dict[str, str] = {}
    for name, param in declared.items():
        value = values.get(name, param.default)
        if value is not None:
            check_value(name, param, value)
            known[name] = value
        elif name in policy.params:
            raise _refuse(name, "has no value", f"give {name} when the sandbox is created")
    return known


def check_value(name: str, param: Param, value: str) -> None:
    """Check one value against its parameter.

    Raises:
        BindError: with the pointer of the parameter.
    """
    _TYPES[param.type](name, value)
    if param.under and not any(_lies_in(value, folder) for folder in param.under):
        raise _refuse(name, "lies outside the declared folders", f"choose one below {', '.join(param.under)}")


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _check_path(name: str, value: str) -> None:
    if not value.startswith("/"):
        raise _refuse(name, "is not an absolute path", "begin with /")
    if value == "/":
        raise _refuse(name, "is the root of all files", "choose a folder")
    bad = sorted(_NEVER_IN_PATH & set(value))
    if bad or not value.isprintable() or value != value.strip():
        what = f"holds {bad[0]}" if bad else "holds a control character or blanks at its end"
        raise _refuse(name, what, "choose a folder with a plain name")
    if any(part in ("", ".", "..") for part in value[1:].split("/")):
        raise _refuse(name, "is not normalised", "no //, no . or .. parts, no / at the end")


def _check_string(name: str, value: str) -> None:
    if not _STRING.fullmatch(value) or ".." in value:
        raise _refuse(name, "is no plain word", "use letters, digits, and . _ @ + - in between")


def _check_uid(name: str, value: str) -> None:
    if not re.fullmatch(r"[1-9][0-9]{0,9}", value) or int(value) > _UID_MAX:
        raise _refuse(name, "is no user id", f"write a number from 1 to {_UID_MAX}; never root")


_TYPES: dict[str, Callable[[str, str], None]] = {
    "path": _check_path,
    "string": _check_string,
    "uid": _check_uid,
}


def _refuse(name: str, what: str, remedy: str) -> BindError:
    return BindError(f"parameter {name} {what}", pointer=pointer(("params", name)), remedy=remedy)


def _is_socket_word(field: str, text: str) -> bool:
    """A socket may be named by a word (`docker`) that the host finds the path of."""
    return field == "network.allow_unix" and text[:1] not in ("/", "~", "$")


class _Binder:
    """Spells values of fields with the parameters filled in."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = known

    def value(self, field: str, value: Any) -> Any:
        """A value as it is to be written."""
        if field.startswith("params"):
            return value
        if isinstance(value, Constraint):
            return self.constraint(value)
        if isinstance(value, Transport):
            return msgspec.structs.replace(value, argv=tuple(self.text(word) for word in value.argv))
        return self.entry(field, value) if isinstance(value, str) else value

    def entry(self, field: str, text: str) -> str:
        """One entry of a list, or one text, in canonical form."""
        try:
            if field in _PATH_FIELDS and not _is_socket_word(field, text):
                return self.path(text)
            if field in _TOOL_FIELDS:
                return self.tool(text)
            return canonical_entry(field, self.text(text))
        except GrammarError as error:
            what = f"{text} cannot be bound: {error.message}"
            raise BindError(what, pointer=pointer(field.split(".")), remedy=error.remedy) from None

    def text(self, text: str) -> str:
        """A text with the values in it."""
        return _REFERENCE.sub(lambda match: self.get(match[1]), text)

    def get(self, name: str) -> str:
        found = self.known.get(name)
        if found is None:
            raise _refuse(name, "is used but has no value", f"give {name} when the sandbox is created")
        return found

    def path(self, text: str) -> str:
        rule = parse_path(text)
        return str(parse_path(self.text(self.get("home") + text[1:] if rule.root == "~" else text)))

    def tool(self, text: str) -> str:
        """A rule, with its spec filled in word by word: a value never becomes part of the syntax."""
        rule = parse_tool(text)
        spec: Any = rule.spec
        if isinstance(spec, PathRule):
            spec = parse_path(self.path(str(spec)))
        elif isinstance(spec, CommandPattern):
            spec = CommandPattern(tuple(self.text(word) for word in spec.words), prefix=spec.prefix)
        return canonical_entry("tools.allow", str(msgspec.structs.replace(rule, spec=spec)))

    def constraint(self, constraint: Constraint) -> Constraint:
        spelled: dict[str, Any] = {}
        if constraint.subpath is not None:
            spelled["subpath"] = self.path(constraint.subpath)
        if isinstance(constraint.const, str):
            spelled["const"] = self.text(constraint.const)
        for name in ("one_of", "not_one_of"):
            entries = getattr(constraint, name)
            if entries is not None:
                spelled[name] = tuple(self.text(e) if isinstance(e, str) else e for e in entries)
        return msgspec.structs.replace(constraint, **spelled)

    def statement_id(self, ident: str, field: str, entry: str) -> str:
        """The id that a statement has in the bound policy."""
        if "$" not in entry and "~" not in entry:
            return ident
        if field.endswith(".constraints"):
            spelled = str(self.constraint(parse_constraint(entry)))
        else:
            spelled = self.entry(field, entry)
        return f"{ident.removesuffix(f'[{entry}]')}[{spelled}]"
