"""The one spelling of an entry: what statement ids, sorting and comparison are built on.

`FIELD_GRAMMARS` says for every field that has a grammar how an entry is read and written back.
Validation walks the same table, so an entry that has a canonical text is an entry that is valid.
A field is a dotted path without entries, e.g. `mcp.servers.tools.allow`.
"""

import re
from collections.abc import Callable
from functools import lru_cache

import msgspec

from tappass_host.policy.grammar.text import refuse, require_plain

Grammar = Callable[[str], str]


def canonical_entry(field: str, entry: object) -> str:
    """The canonical text of one entry of a field.

    Raises:
        GrammarError: the entry does not follow the grammar of its field.
    """
    if isinstance(entry, str):
        return _canonical_text(field, entry)
    if isinstance(entry, bool):
        return "true" if entry else "false"
    if isinstance(entry, msgspec.Struct):
        # Never cached: to a cache the constraints `const: 1` and `const: true` are one key.
        return msgspec.json.encode(entry, order="sorted").decode()
    return str(entry)


@lru_cache(maxsize=65536)
def _canonical_text(field: str, text: str) -> str:
    grammar = FIELD_GRAMMARS.get(field)
    return text if grammar is None else grammar(text)


def _domain(text: str) -> str:
    from tappass_host.policy.grammar.domains import parse_domain

    return str(parse_domain(text))


def _cidr(text: str) -> str:
    from tappass_host.policy.grammar.addresses import parse_cidr

    return str(parse_cidr(text))


def _path(text: str) -> str:
    from tappass_host.policy.grammar.paths import parse_path

    return str(parse_path(text))


def _instant(text: str) -> str:
    from tappass_host.policy.times import parse_instant

    parse_instant(text)
    return text


def _tool(text: str) -> str:
    from tappass_host.policy.grammar.tools import parse_tool

    return str(parse_tool(text))


def _tool_name(text: str) -> str:
    """A tool as the key of its constraints: one tool, no spec and no group."""
    from tappass_host.policy.grammar.tools import parse_tool

    rule = parse_tool(text)
    if rule.spec is not None or rule.is_group or rule.is_mcp:
        raise refuse("tool", text, "is no single tool", "write the name of one tool: Bash, lookup_customer")
    return rule.name


def _form(what: str, pattern: str, remedy: str) -> Grammar:
    """A grammar that is one regular expression and has one spelling per value."""
    compiled = re.compile(pattern, re.ASCII)

    def read(text: str) -> str:
        require_plain(what, text)
        if not compiled.fullmatch(text):
            raise refuse(what, text, "is not well formed", remedy)
        return text

    return read


_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?"
_word = _form("name", _WORD, "use letters, digits, and . _ - in between")
_param = _form("parameter", r"[a-z_][a-z0-9_]{0,63}", "use lower-case letters, digits and _")
_tag = _form("compliance tag", r"[A-Za-z0-9][A-Za-z0-9 ._:/()-]{0,126}", "write it like SOC2:CC6.1")
_module = _form("module", r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", "write a dotted module name: os.path")
_function = _form("function", r"[A-Za-z_]\w{0,127}", "write one identifier: lookup_customer")
_mcp_tool = _form(
    "MCP tool", r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}", "write the tool's own name, without star"
)
_env = _form("environment variable", r"[A-Za-z_]\w{0,127}", "write one name: API_TOKEN")
_model = _form(
    "model", r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,126}\*?", "write a model name, or one ending in a star"
)
_sha256 = _form("digest", r"sha256:[0-9a-f]{64}", "write sha256: and 64 lower-case hexadecimal digits")
# Statements spell a pin with its tool in front.
_pin = _form(
    "pin", r"(?:[A-Za-z0-9_./-]{1,128}=)?sha256:[0-9a-f]{64}", "write sha256: and 64 lower-case hex digits"
)
_secret_ref = _form(
    "secret reference", r"[a-z][a-z0-9+-]{0,31}:[\w./@:#+-]{1,512}", "write scheme:name, e.g. vault:team/key"
)
_url = _form(
    "URL",
    r"https?://(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9_.-]{1,253})(?::[1-9][0-9]{0,4})?(?:/[\w.~/%+-]*)?",
    "write http:// or https://, a lower-case host and a plain path, without user, query or fragment",
)


def _literal_path(text: str) -> str:
    """A path that names one node: no glob."""
    from tappass_host.policy.grammar.paths import parse_path

    rule = parse_path(text)
    if rule.is_glob or not rule.root:
        raise refuse("path", text, "holds a star", "write the one path it stands for")
    return str(rule)


# Sockets that every host has somewhere else; self-protection replaces the word by the paths.
_SOCKET_WORDS = frozenset({"docker", "ssh-agent", "dbus"})


def _unix(text: str) -> str:
    return text if text in _SOCKET_WORDS else _literal_path(text)


FIELD_GRAMMARS: dict[str, Grammar] = {
    "network.allow_domains": _domain,
    "network.deny_domains": _domain,
    "network.category_domains": _domain,
    "network.allow_cidrs": _cidr,
    "network.allow_unix": _unix,
    "network.deny_categories": _word,
    "filesystem.workspace": _literal_path,
    "filesystem.read_only": _path,
    "filesystem.read_write": _path,
    "filesystem.deny_paths": _path,
    "tools.allow": _tool,
    "tools.ask": _tool,
    "tools.deny": _tool,
    "tools.deny_if_tainted": _tool,
    "tools.taint_sources": _tool,
    "interpreter.host_functions": _function,
    "interpreter.allow_imports": _module,
    "interpreter.deny_imports": _module,
    "interpreter.env": _env,
    "mcp.servers": _word,
    "mcp.servers.auth_ref": _secret_ref,
    "mcp.servers.tools.allow": _mcp_tool,
    "mcp.servers.tools.ask": _mcp_tool,
    "mcp.servers.tools.deny": _mcp_tool,
    "mcp.servers.transport.url": _url,
    "mcp.servers.pins": _pin,
    "data.sources": _word,
    "data.sources.kind": _word,
    "data.sources.views": _word,
    "data.sources.path": _literal_path,
    "llm.gateway_url": _url,
    "llm.models.allow": _model,
    "llm.models.deny": _model,
    "llm.routes": _word,
    "llm.upstreams": _word,
    "llm.upstreams.kind": _word,
    "llm.upstreams.base_url": _url,
    "llm.upstreams.auth_ref": _secret_ref,
    "credentials.hide_env": _env,
    "credentials.secrets": _env,
    "credentials.secrets.ref": _secret_ref,
    "credentials.secrets.domains": _domain,
    "params.under": _literal_path,
    "runtimes": _sha256,
    "retain_until": _instant,
    "issued_at": _instant,
    "not_before": _instant,
    "expires_at": _instant,
    "apply_by": _instant,
}

# The same for the free keys of a mapping.
KEY_GRAMMARS: dict[str, Grammar] = {
    "params": _param,
    "extensions": _word,
    "compliance_tags": _tag,
    "runtimes": _word,
    "network.category_domains": _word,
    "tools.deny_if_tainted": _word,
    "tools.taint_sources": _word,
    "tools.constraints": _tool_name,
    "mcp.servers.tools.constraints": _mcp_tool,
    "mcp.servers.pins": _mcp_tool,
    "llm.prices": _model,
}
