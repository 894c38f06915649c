"""What a Compiled Policy must be beyond its types: every entry by its grammar, and the whole makes sense.

`check_grammar` walks the schema over `FIELD_GRAMMARS`, so no field with a grammar can be forgotten.
`check_meaning` is a table of checks, each with the JSON Pointer of what it refuses. `canonicalise` gives
the one spelling of a policy: canonical entries, sets sorted and without repetition.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from tappass_host.policy.errors import GrammarError, PolicyError
from tappass_host.policy.grammar.canonical import FIELD_GRAMMARS, KEY_GRAMMARS, canonical_entry
from tappass_host.policy.model import Policy
from tappass_host.policy.shape import Fields, Items, Leaf, Shape, Table, document_shape
from tappass_host.policy.wire import pointer

Path = tuple[str | int, ...]
# Field and value (a text, a number, a whole struct) to the value as it is to be written.
Spell = Callable[[str, Any], Any]

# Order means something here: detectors apply one after the other.
ORDERED = frozenset({"llm.redact"})


def check_grammar(policy: Policy) -> None:
    """Check every entry and key that has a grammar.

    Raises:
        GrammarError: with the JSON Pointer of the first that does not follow it.
    """
    for path, field, text, is_key in _texts(document_shape(), policy, "", ()):
        grammar = (KEY_GRAMMARS if is_key else FIELD_GRAMMARS).get(field)
        if grammar is None or (text == "" and not is_key and path[-1] not in _MUST_NOT_BE_EMPTY):
            continue
        try:
            spelled = grammar(text)
        except GrammarError as error:
            raise error.at(pointer=pointer(path)) from None
        if is_key and spelled != text:
            raise GrammarError(f"write this key as {spelled}", pointer=pointer(path))


# An empty text says "not given" in an optional field, and nothing at all in these.
_MUST_NOT_BE_EMPTY = ("kind", "path", "ref", "base_url")


def canonicalise(policy: Policy) -> Policy:
    """The same policy in its one spelling: entries canonical, sets sorted, each once."""
    return respell(
        policy, lambda field, value: canonical_entry(field, value) if isinstance(value, str) else value
    )


def respell(policy: Policy, spell: Spell) -> Policy:
    """The policy with every value of its fields spelled anew, sets sorted, each entry once."""
    tags = {tag: tuple(sorted(set(ids))) for tag, ids in sorted(policy.compliance_tags.items())}
    spelled: Policy = _respell(spell, document_shape(), policy, "")
    return msgspec.structs.replace(spelled, compliance_tags=tags)


def _texts(shape: Shape, value: Any, field: str, path: Path) -> Iterator[tuple[Path, str, str, bool]]:
    if isinstance(shape, Fields):
        for name, inner in shape.fields.items():
            member = getattr(value, name)
            if member is not None:
                yield from _texts(inner, member, f"{field}.{name}".lstrip("."), (*path, name))
    elif isinstance(shape, Table):
        for key, row in _rows(shape, value):
            if isinstance(key, str):
                yield ((*path, key), field, key, True)
            else:
                yield ((*path, key), field, _row_key(shape, row), False)
            # The keys of a table in a table (arguments below tools) follow another grammar.
            inside = f"{field}.*" if isinstance(shape.row, Table) else field
            yield from _texts(shape.row, row, inside, (*path, key))
    elif isinstance(shape, Items):
        for index, entry in enumerate(value):
            yield from _texts(Leaf(shape.type), entry, field, (*path, index))
    elif isinstance(value, str):
        yield path, field, value, False
    elif isinstance(value, msgspec.Struct) and field == "mcp.servers.transport":
        yield (*path, "url"), f"{field}.url", value.url, False  # type: ignore[attr-defined]


def _rows(shape: Table, value: Any) -> Iterable[tuple[str | int, Any]]:
    return enumerate(value) if shape.as_list else value.items()


def _row_key(shape: Table, row: Any) -> str:
    assert isinstance(shape.row, Fields)
    return str(getattr(row, shape.row.key))


def _respell(spell: Spell, shape: Shape, value: Any, field: str) -> Any:
    if value is None or value == "":
        return value
    if isinstance(shape, Fields):
        members = ((n, s, f"{field}.{n}".lstrip(".")) for n, s in shape.fields.items())
        spelled = {n: _respell(spell, s, getattr(value, n), f) for n, s, f in members}
        return msgspec.structs.replace(value, **spelled)
    if isinstance(shape, Table) and shape.as_list:
        rows = (_respell(spell, shape.row, row, field) for row in value)
        return tuple(sorted(rows, key=lambda row: _row_key(shape, row)))
    if isinstance(shape, Table):
        return {key: _respell(spell, shape.row, value[key], field) for key in sorted(value)}
    if isinstance(shape, Items):
        entries = [spell(field, entry) for entry in value]
        return tuple(entries) if field in ORDERED else tuple(sorted(set(entries)))
    return spell(field, value)


def check_meaning(policy: Policy) -> None:
    """Check what types and grammars cannot say.

    Raises:
        PolicyError: with the JSON Pointer of the first contradiction or gap.
    """
    for check in _CHECKS:
        for path, what, remedy in check(policy):
            raise PolicyError(what, pointer=pointer(path), remedy=remedy)


Fault = tuple[Path, str, str]
_STRICTNESS = {"deny": 2, "ask": 1, "allow": 0}


def _times(policy: Policy) -> Iterator[Fault]:
    # Instants have one fixed-width spelling, so they compare as text.
    if policy.not_before >= policy.expires_at:
        yield ("expires_at",), "expires before it is valid", "set expires_at after not_before"
    if policy.apply_by is not None and not policy.not_before <= policy.apply_by <= policy.expires_at:
        yield ("apply_by",), "lies outside the time of validity", "set it between not_before and expires_at"
    if (policy.on_expiry == "retain") != (policy.retain_until is not None):
        yield ("retain_until",), "on_expiry: retain and retain_until go together", "give both or neither"
    elif policy.retain_until is not None and policy.retain_until < policy.expires_at:
        yield ("retain_until",), "ends before the policy does", "set it at or after expires_at"
    if policy.freshness is not None and policy.freshness.max_age_s == 0:
        yield ("freshness", "max_age_s"), "no statement is ever this fresh", "give it some seconds"


def _says_something(policy: Policy) -> Iterator[Fault]:
    for aspect in ("budget", "process"):
        node = getattr(policy, aspect)
        if node is not None and all(getattr(node, name) is None for name in node.__struct_fields__):
            yield (aspect,), "managed, yet it says nothing", f"set a limit, or leave {aspect} unmanaged"


def _categories(policy: Policy) -> Iterator[Fault]:
    if policy.network is None:
        return
    for index, name in enumerate(policy.network.deny_categories):
        if not policy.network.category_domains.get(name):
            path = ("network", "deny_categories", index)
            yield path, f"category {name} has no domains", "carry them in network.category_domains"


def _unknown_tools(policy: Policy) -> Iterator[Fault]:
    tools = policy.tools
    if tools is not None and _STRICTNESS[tools.unknown] < _STRICTNESS[tools.default]:
        remedy = f"set tools.unknown to {tools.default} or stricter"
        yield ("tools", "unknown"), "unknown tools may do more than known ones", remedy


def _transports(policy: Policy) -> Iterator[Fault]:
    for index, server in enumerate(policy.mcp.servers if policy.mcp else ()):
        path: Path = ("mcp", "servers", index, "transport")
        argv, url = server.transport.argv, server.transport.url
        if server.transport.kind != "stdio":
            if argv or not url:
                yield path, "a server reached by HTTP has a url and no argv", "give the one, drop the other"
        elif url or not argv:
            yield path, "a stdio server has an argv and no url", "give the one, drop the other"
        elif not re.match(r"/|\$\{[a-z_][a-z0-9_]*\}/", argv[0]):
            # A name that PATH resolves is whatever program stands first there.
            remedy = "begin with / or with a declared ${parameter}"
            yield (*path, "argv", 0), "the program is not an absolute path", remedy


def _views(policy: Policy) -> Iterator[Fault]:
    for index, source in enumerate(policy.data.sources if policy.data else ()):
        for at, view in enumerate(source.views):
            if not view.columns:
                path = ("data", "sources", index, "views", at, "columns")
                yield path, f"view {view.name} shows no column", "list its columns"


def _unique(policy: Policy) -> Iterator[Fault]:
    yield from _repeated(document_shape(), policy, ())


def _repeated(shape: Shape, value: Any, path: Path) -> Iterator[Fault]:
    if isinstance(shape, Fields):
        for name, inner in shape.fields.items():
            member = getattr(value, name)
            if member is not None:
                yield from _repeated(inner, member, (*path, name))
    elif isinstance(shape, Table) and shape.as_list:
        seen: set[str] = set()
        for index, row in enumerate(value):
            key = _row_key(shape, row)
            if key in seen:
                yield (*path, index), f"{key} is listed twice", "keep one"
            seen.add(key)
            yield from _repeated(shape.row, row, (*path, index))


_REFERENCE = re.compile(r"\$\{([^}]*)\}")


def _parameters(policy: Policy) -> Iterator[Fault]:
    for path, text in strings(msgspec.to_builtins(policy)):
        for name in _REFERENCE.findall(text):
            if name not in policy.params:
                yield path, f"parameter {name} is not declared", f"declare it under params: {name}"


def strings(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text in plain data, keys apart, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from strings(member, (*path, key))
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            yield from strings(member, (*path, index))


def _declarations(policy: Policy) -> Iterator[Fault]:
    for name, param in policy.params.items():
        path = ("params", name)
        if param.under and param.type != "path":
            yield (*path, "under"), "only a path lies under folders", "remove it, or make the type path"
        if any("${" in folder for folder in param.under):
            yield (*path, "under"), "refers to another parameter", "write the folder out"


def _references(policy: Policy) -> Iterator[Fault]:
    from tappass_host.policy.statements import statements

    known = {statement.id for statement in statements(policy)}
    tagged = ((("compliance_tags", t), i) for t, ids in policy.compliance_tags.items() for i in ids)
    noted = (((f,), i) for f in ("provenance", "annotations") for i in getattr(policy, f))
    for path, ident in (*tagged, *noted):
        if ident not in known:
            yield path, f"no such statement: {ident}", "name a statement of this policy by its id"


_CHECKS: tuple[Callable[[Policy], Iterator[Fault]], ...] = (
    _times,
    _says_something,
    _categories,
    _unknown_tools,
    _transports,
    _views,
    _unique,
    _declarations,
    _parameters,
    _references,
)
