"""What a Compiled Policy must be beyond its types, and its one spelling."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tappass_host.policy.decode import policy_of
from tappass_host.policy.errors import GrammarError, PolicyError
from tappass_host.policy.grammar.canonical import FIELD_GRAMMARS, KEY_GRAMMARS, canonical_entry
from tappass_host.policy.grammar.constraints import Constraint
from tappass_host.policy.statements import statements
from tappass_host.policy.validate import canonicalise

HEAD = {
    "version": 1,
    "issued_at": "2026-01-01T00:00:00Z",
    "not_before": "2026-01-01T00:00:00Z",
    "expires_at": "2026-04-01T00:00:00Z",
    "org_id": "acme",
}
SHA = "sha256:" + "0" * 64
HTTP = {"kind": "http", "url": "https://s.test/"}
SOURCE = {"id": "d", "kind": "duckdb", "path": "/d"}


def servers(*rows):
    return {"mcp": {"servers": list(rows)}}


GRAMMAR = {
    "domain": ({"network": {"allow_domains": ["a.com", "*.com"]}}, "/network/allow_domains/1"),
    "category domain": (
        {"network": {"category_domains": {"x": ["1.2.3.4"]}}},
        "/network/category_domains/x/0",
    ),
    "category": ({"network": {"category_domains": {"a b": ["a.com"]}}}, "/network/category_domains/a b"),
    "range": ({"network": {"allow_cidrs": ["10.0.0.1/8"]}}, "/network/allow_cidrs/0"),
    "socket": ({"network": {"allow_unix": ["podman"]}}, "/network/allow_unix/0"),
    "path": ({"filesystem": {"deny_paths": ["/a/../b"]}}, "/filesystem/deny_paths/0"),
    "workspace": ({"filesystem": {"workspace": "/a/*"}}, "/filesystem/workspace"),
    "tool": ({"tools": {"deny_if_tainted": {"web": ["bash"]}}}, "/tools/deny_if_tainted/web/0"),
    "tool of a constraint": (
        {"tools": {"constraints": {"Edit": {"x": {"const": 1}}}}},
        "/tools/constraints/Edit",
    ),
    "server id": (servers({"id": "a/b", "transport": HTTP}), "/mcp/servers/0"),
    "mcp tool": (
        servers({"id": "s", "transport": HTTP, "tools": {"allow": ["a*"]}}),
        "/mcp/servers/0/tools/allow/0",
    ),
    "url": (
        servers({"id": "s", "transport": {"kind": "http", "url": "https://u@s.test"}}),
        "/mcp/servers/0/transport/url",
    ),
    "pin": (servers({"id": "s", "transport": HTTP, "pins": {"t": "abc"}}), "/mcp/servers/0/pins/t"),
    "module": ({"interpreter": {"allow_imports": ["os/path"]}}, "/interpreter/allow_imports/0"),
    "model": ({"llm": {"models": {"allow": ["a*b"]}}}, "/llm/models/allow/0"),
    "secret": ({"credentials": {"secrets": [{"env": "A", "ref": "x"}]}}, "/credentials/secrets/0/ref"),
    "no secret": ({"credentials": {"secrets": [{"env": "A", "ref": ""}]}}, "/credentials/secrets/0/ref"),
    "variable": ({"credentials": {"hide_env": ["LD PRELOAD"]}}, "/credentials/hide_env/0"),
    "digest": ({"runtimes": {"r": "sha256:1"}}, "/runtimes/r"),
    "instant": ({"apply_by": "2026-02-30T00:00:00Z"}, "/apply_by"),
    "parameter": ({"params": {"Work": {"type": "path"}}}, "/params/Work"),
}


@pytest.mark.parametrize("name", GRAMMAR)
def test_grammar(name):
    parts, pointer = GRAMMAR[name]
    with pytest.raises(GrammarError) as caught:
        policy_of({**HEAD, **parts})
    assert caught.value.pointer == pointer


def test_every_grammar_has_a_field():
    from tappass_host.policy.shape import document_shape

    known = set(fields(document_shape(), "")) | {"mcp.servers.transport.url"}
    assert set(FIELD_GRAMMARS) <= known
    assert {key.removesuffix(".*") for key in KEY_GRAMMARS} <= known | {"compliance_tags"}


def fields(shape, field):
    from tappass_host.policy.shape import Fields, Table

    if field:
        yield field
    if isinstance(shape, Fields):
        for name, inner in shape.fields.items():
            yield from fields(inner, f"{field}.{name}".lstrip("."))
    elif isinstance(shape, Table):
        yield from fields(shape.row, field)


MEANING = {
    "budget that says nothing": ({"budget": {}}, "/budget", "says nothing"),
    "process that says nothing": ({"process": {}}, "/process", "says nothing"),
    "expires before it begins": ({"expires_at": "2026-01-01T00:00:00Z"}, "/expires_at", "before it is valid"),
    "to be applied too late": ({"apply_by": "2026-05-01T00:00:00Z"}, "/apply_by", "outside the time"),
    "retain without an end": ({"on_expiry": "retain"}, "/retain_until", "go together"),
    "an end without retain": ({"retain_until": "2026-05-01T00:00:00Z"}, "/retain_until", "go together"),
    "retained until before the end": (
        {"on_expiry": "retain", "retain_until": "2026-03-01T00:00:00Z"},
        "/retain_until",
        "ends before",
    ),
    "freshness of nothing": ({"freshness": {"max_age_s": 0}}, "/freshness/max_age_s", "ever this fresh"),
    "category without domains": (
        {"network": {"deny_categories": ["a", "b"], "category_domains": {"a": ["a.com"], "b": []}}},
        "/network/deny_categories/1",
        "has no domains",
    ),
    "unknown tools may do more": (
        {"tools": {"default": "deny", "unknown": "ask"}},
        "/tools/unknown",
        "may do more",
    ),
    "program by name": (
        servers({"id": "s", "transport": {"kind": "stdio", "argv": ["npx", "x"]}}),
        "/mcp/servers/0/transport/argv/0",
        "not an absolute path",
    ),
    "program in a home": (
        servers({"id": "s", "transport": {"kind": "stdio", "argv": ["~/x"]}}),
        "/mcp/servers/0/transport/argv/0",
        "not an absolute path",
    ),
    "no program": (
        servers({"id": "s", "transport": {"kind": "stdio"}}),
        "/mcp/servers/0/transport",
        "has an argv",
    ),
    "program and url": (
        servers({"id": "s", "transport": {"kind": "stdio", "argv": ["/x"], "url": "https://s.test/"}}),
        "/mcp/servers/0/transport",
        "and no url",
    ),
    "no url": (servers({"id": "s", "transport": {"kind": "http"}}), "/mcp/servers/0/transport", "has a url"),
    "server twice": (
        servers({"id": "s", "transport": HTTP}, {"id": "s", "transport": HTTP}),
        "/mcp/servers/1",
        "listed twice",
    ),
    "view without columns": (
        {"data": {"sources": [{**SOURCE, "views": [{"name": "v", "table": "t"}]}]}},
        "/data/sources/0/views/0/columns",
        "shows no column",
    ),
    "view twice": (
        {"data": {"sources": [{**SOURCE, "views": [{"name": "v", "table": "t", "columns": ["a"]}] * 2}]}},
        "/data/sources/0/views/1",
        "listed twice",
    ),
    "undeclared parameter": (
        {"filesystem": {"workspace": "${ws}"}},
        "/filesystem/workspace",
        "ws is not declared",
    ),
    "undeclared parameter in a constraint": (
        {"tools": {"constraints": {"t": {"p": {"subpath": "${ws}"}}}}},
        "/tools/constraints/t/p/subpath",
        "ws is not declared",
    ),
    "folders of a number": (
        {"params": {"u": {"type": "uid", "under": ["/a"]}}},
        "/params/u/under",
        "only a path",
    ),
    "tag of nothing": (
        {"compliance_tags": {"X": ["network.default[deny]"]}},
        "/compliance_tags/X",
        "no such statement",
    ),
    "note on nothing": ({"annotations": {"x": {}}}, "/annotations", "no such statement"),
    "provenance of nothing": ({"provenance": {"x": {"level": "org"}}}, "/provenance", "no such statement"),
}


@pytest.mark.parametrize("name", MEANING)
def test_meaning(name):
    parts, pointer, what = MEANING[name]
    with pytest.raises(PolicyError) as caught:
        policy_of({**HEAD, **parts})
    assert what in caught.value.message
    assert caught.value.pointer == pointer
    assert caught.value.remedy


ACCEPTED = {
    "nothing": {},
    "a filesystem of defaults": {"filesystem": {}},
    "a declared program folder": {
        "params": {"tools": {"type": "path"}},
        **servers({"id": "s", "transport": {"kind": "stdio", "argv": ["${tools}/s"]}}),
    },
    "arguments in any case": {"tools": {"constraints": {"Bash": {"read": {"const": 1}}}}},
    "pins": servers({"id": "s", "transport": HTTP, "pins": {"t": SHA}}),
    "retained": {"on_expiry": "retain", "retain_until": "2026-05-01T00:00:00Z"},
    "tagged": {"network": {}, "compliance_tags": {"X": ["network.other"]}},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepts(name):
    policy = policy_of({**HEAD, **ACCEPTED[name]})
    assert canonicalise(canonicalise(policy)) == canonicalise(policy)


def test_canonicalise_sorts_and_spells():
    policy = policy_of(
        {
            **HEAD,
            "chain": ["org:b", "agent:a"],
            "network": {"allow_domains": ["B.com", "a.com", "b.com"]},
            "tools": {"allow": ["Edit", "Bash(git  status)", "Write"]},
            "filesystem": {"read_only": ["/usr/**", "/usr"]},
            "llm": {"redact": [{"detector": "z"}, {"detector": "a"}]},
            **servers(
                {"id": "t", "transport": HTTP},
                {"id": "s", "transport": {"kind": "stdio", "argv": ["/x", "b", "a"]}},
            ),
            "compliance_tags": {"X": ["network.other", "network.local[deny]"]},
        }
    )
    found = canonicalise(policy)
    assert found.network.allow_domains == ("a.com", "b.com")
    assert found.tools.allow == ("Bash(git status)", "Write")
    assert found.filesystem.read_only == ("/usr",)
    assert [server.id for server in found.mcp.servers] == ["s", "t"]
    assert found.compliance_tags == {"X": ("network.local[deny]", "network.other")}
    # Where order means something it stays.
    assert found.chain == ("org:b", "agent:a")
    assert [rule.detector for rule in found.llm.redact] == ["z", "a"]
    assert found.mcp.servers[0].transport.argv == ("/x", "b", "a")


@given(
    st.permutations(["a.com", "*.b.com", "C.com:443", "c.com:443"]), st.permutations(["/b", "/a/**", "/a"])
)
def test_canonicalise_does_not_depend_on_order(domains, paths):
    def build(one, two):
        return canonicalise(
            policy_of({**HEAD, "network": {"deny_domains": one}, "filesystem": {"read_only": two}})
        )

    assert build(domains, paths) == build(sorted(domains), sorted(paths))


def test_canonical_entries():
    assert canonical_entry("network.allow_domains", "A.com:443") == "a.com:443"
    assert canonical_entry("tools.allow", "NotebookEdit") == "Write"
    assert canonical_entry("budget.tokens_per_day", 5) == "5"
    assert canonical_entry("extensions.a.b", True) == "true"
    assert canonical_entry("data.sources.views.columns", "b,a") == "b,a"
    # Equal for a cache, different as policy.
    assert canonical_entry("tools.constraints", Constraint(const=1)) == '{"const":1}'
    assert canonical_entry("tools.constraints", Constraint(const=True)) == '{"const":true}'


def test_ids_do_not_change_by_canonicalising():
    policy = policy_of({**HEAD, "network": {"allow_domains": ["B.com"]}, "tools": {"deny": ["Edit"]}})
    assert statements(policy) == statements(canonicalise(policy))
    assert msgspec.to_builtins(policy) != msgspec.to_builtins(canonicalise(policy))
