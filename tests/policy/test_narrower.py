"""Named cases of `is_narrower` and `widenings`; that nothing slips through is held by the properties beside it."""

import pytest

from tappass_host.policy import actions as a
from tappass_host.policy.decide import decide
from tappass_host.policy.decode import policy_of
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.narrower import is_narrower, widenings

HEAD = {
    "version": 1,
    "issued_at": "2026-01-01T00:00:00Z",
    "not_before": "2026-01-01T00:00:00Z",
    "expires_at": "2026-04-01T00:00:00Z",
    "org_id": "acme",
}
HTTP = {"kind": "http", "url": "https://s.test/"}
PIN = "sha256:" + "0" * 64


def policy(parts):
    return policy_of({**HEAD, **parts})


def server(**parts):
    return {"mcp": {"servers": [{"id": "s", "transport": HTTP, **parts}]}}


def view(**parts):
    row = {"name": "v", "table": "t", "columns": ["a"], **parts}
    return {"data": {"sources": [{"id": "d", "kind": "k", "path": "/d", "views": [row]}]}}


def secret(**parts):
    return {"credentials": {"secrets": [{"env": "A", "ref": "vault:a", **parts}]}}


# name: (stricter, looser, statement of the widening, does decide see it)
WIDER = {
    "unmanaged": ({"network": {}}, {}, "network.default", False),
    "network default": ({"network": {}}, {"network": {"default": "allow"}}, "network.default[allow]", True),
    "local": ({"network": {}}, {"network": {"local": "allow"}}, "network.local[allow]", True),
    "a domain": (
        {"network": {"allow_domains": ["a.com"]}},
        {"network": {"allow_domains": ["a.com", "*.a.com"]}},
        "network.allow_domains[*.a.com]",
        True,
    ),
    "a port": (
        {"network": {"allow_domains": ["a.com:443"]}},
        {"network": {"allow_domains": ["a.com"]}},
        "network.allow_domains[a.com]",
        True,
    ),
    "a lost denial": (
        {"network": {"default": "allow", "deny_domains": ["a.com"]}},
        {"network": {"default": "allow", "deny_domains": ["a.com:443"]}},
        "network.deny_domains[a.com]",
        True,
    ),
    "a lost category": (
        {"network": {"default": "allow", "deny_categories": ["x"], "category_domains": {"x": ["a.com"]}}},
        {"network": {"default": "allow"}},
        "network.deny_categories[x]",
        True,
    ),
    "a category that got shorter": (
        {
            "network": {
                "default": "allow",
                "deny_categories": ["x"],
                "category_domains": {"x": ["a.com", "b.com"]},
            }
        },
        {"network": {"default": "allow", "deny_categories": ["x"], "category_domains": {"x": ["a.com"]}}},
        "network.deny_categories[x]",
        True,
    ),
    "addresses": (
        {"network": {"allow_cidrs": ["192.0.2.0/25"]}},
        {"network": {"allow_cidrs": ["192.0.2.0/24"]}},
        "network.allow_cidrs[192.0.2.0/24]",
        False,
    ),
    "a socket": (
        {"network": {}},
        {"network": {"allow_unix": ["/run/a.sock"]}},
        "network.allow_unix[/run/a.sock]",
        True,
    ),
    "a writable folder": (
        {"filesystem": {"read_only": ["/a"]}},
        {"filesystem": {"read_only": ["/a"], "read_write": ["/a/b"]}},
        "filesystem.read_write[/a/b]",
        True,
    ),
    "a reopened restriction": (
        {"filesystem": {"workspace": "/ws", "read_only": ["/ws/v"]}},
        {"filesystem": {"workspace": "/ws", "read_only": ["/ws/v"], "read_write": ["/ws/v/t"]}},
        "filesystem.read_write[/ws/v/t]",
        True,
    ),
    "a lost restriction": (
        {"filesystem": {"workspace": "/ws", "read_only": ["/ws/v"]}},
        {"filesystem": {"workspace": "/ws"}},
        "filesystem.read_only[/ws/v]",
        True,
    ),
    "a lost denied path": (
        {"filesystem": {"workspace": "/ws", "deny_paths": ["/ws/s"]}},
        {"filesystem": {"workspace": "/ws"}},
        "filesystem.deny_paths[/ws/s]",
        True,
    ),
    "tools default": (
        {"tools": {}},
        {"tools": {"default": "ask", "unknown": "ask"}},
        "tools.default[ask]",
        True,
    ),
    "tools unknown": (
        {"tools": {"default": "allow"}},
        {"tools": {"default": "allow", "unknown": "ask"}},
        "tools.unknown[ask]",
        True,
    ),
    "a known tool": (
        {"tools": {"default": "allow", "unknown": "deny"}},
        {
            "tools": {
                "default": "allow",
                "unknown": "deny",
                "constraints": {"foo": {"x": {"const": 1}}},
            }
        },
        "tools.default[allow]",
        True,
    ),
    "a command": (
        {"tools": {"allow": ["Bash(git status)"]}},
        {"tools": {"allow": ["Bash(git *)"]}},
        "tools.allow[Bash(git *)]",
        True,
    ),
    "a lost question": (
        {"tools": {"allow": ["Bash(git *)"], "ask": ["Bash(git push *)"]}},
        {"tools": {"allow": ["Bash(git *)"]}},
        "tools.ask[Bash(git push *)]",
        True,
    ),
    "a lost denied tool": (
        {"tools": {"default": "allow", "unknown": "allow", "deny": ["Bash(curl *)"]}},
        {"tools": {"default": "allow", "unknown": "allow"}},
        "tools.deny[Bash(curl *)]",
        True,
    ),
    "a wider constraint": (
        {"tools": {"allow": ["foo"], "constraints": {"foo": {"n": {"range": {"max": 5}}}}}},
        {"tools": {"allow": ["foo"], "constraints": {"foo": {"n": {"range": {"max": 2000000000}}}}}},
        'tools.constraints.foo.n[{"range":{"max":5}}]',
        True,
    ),
    "a lost source of taint": (
        {"tools": {"taint_sources": {"web": ["WebFetch"]}}},
        {"tools": {}},
        "tools.taint_sources.web[WebFetch]",
        False,
    ),
    "a server": ({"mcp": {}}, server(), "mcp.servers[s]", True),
    "another program": (
        server(),
        {"mcp": {"servers": [{"id": "s", "transport": {"kind": "stdio", "argv": ["/x"]}}]}},
        "mcp.servers[s]",
        True,
    ),
    "a server's tool": (server(), server(tools={"allow": ["x"]}), "mcp.servers[s].tools.allow[x]", True),
    "a server's lost denial": (
        server(tools={"default": "allow", "deny": ["x"]}),
        server(tools={"default": "allow"}),
        "mcp.servers[s].tools.deny[x]",
        True,
    ),
    "a server's lost constraint": (
        server(tools={"allow": ["x"], "constraints": {"x": {"k": {"const": 7}}}}),
        server(tools={"allow": ["x"]}),
        'mcp.servers[s].tools.constraints.x.k[{"const":7}]',
        True,
    ),
    "a resource": (server(), server(resources={"allow": ["r"]}), "mcp.servers[s].resources.allow[r]", True),
    "a prompt by default": (
        server(),
        server(prompts={"default": "allow"}),
        "mcp.servers[s].prompts.default[allow]",
        True,
    ),
    "a feature": (server(), server(features=["sampling"]), "mcp.servers[s].features[sampling]", True),
    "larger results": (server(max_result_kb=5), server(), "mcp.servers[s].max_result_kb[5]", False),
    "a lost pin": (server(pins={"t": PIN}), server(), f"mcp.servers[s].pins[t={PIN}]", False),
    "a server's secret": (server(), server(auth_ref="vault:x"), "mcp.servers[s].auth_ref[vault:x]", False),
    "a host function": (
        {"interpreter": {}},
        {"interpreter": {"host_functions": ["f"]}},
        "interpreter.host_functions[f]",
        True,
    ),
    "an import": (
        {"interpreter": {}},
        {"interpreter": {"allow_imports": ["os"]}},
        "interpreter.allow_imports[os]",
        True,
    ),
    "a lost denied import": (
        {"interpreter": {"default": "allow", "deny_imports": ["os"]}},
        {"interpreter": {"default": "allow"}},
        "interpreter.deny_imports[os]",
        True,
    ),
    "interpreter memory": (
        {"interpreter": {"memory_mb": 5}},
        {"interpreter": {}},
        "interpreter.memory_mb[5]",
        True,
    ),
    "interpreter network": (
        {"interpreter": {}},
        {"interpreter": {"network": "allowlist"}},
        "interpreter.network[allowlist]",
        False,
    ),
    "a variable": ({"interpreter": {}}, {"interpreter": {"env": ["A"]}}, "interpreter.env[A]", True),
    "a column": (view(), view(columns=["a", "b"]), "data.sources[d].views[v].columns[a,b]", True),
    "rows": (view(max_rows=5), view(max_rows=6), "data.sources[d].views[v].max_rows[5]", True),
    "another filter": (view(row_filter="x"), view(), "data.sources[d].views[v].row_filter[x]", False),
    "a source": ({"data": {}}, view(), "data.sources[d]", True),
    "views by default": ({"data": {}}, {"data": {"default": "allow"}}, "data.default[allow]", True),
    "a model": (
        {"llm": {"models": {"allow": ["a"]}}},
        {"llm": {"models": {"allow": ["a*"]}}},
        "llm.models.allow[a*]",
        False,
    ),
    "a lost denied model": (
        {"llm": {"default": "allow", "models": {"deny": ["a"]}}},
        {"llm": {"default": "allow"}},
        "llm.models.deny[a]",
        True,
    ),
    "a route": (
        {"llm": {"models": {"allow": ["a"]}}},
        {"llm": {"models": {"allow": ["a"]}, "routes": ["batches"]}},
        "llm.routes[batches]",
        True,
    ),
    "another gateway": (
        {"llm": {"gateway_url": "https://g.test"}},
        {"llm": {"gateway_url": "https://h.test"}},
        "llm.gateway_url[https://g.test]",
        False,
    ),
    "an upstream": (
        {"llm": {}},
        {"llm": {"upstreams": [{"id": "u", "kind": "k", "base_url": "https://u.test"}]}},
        "llm.upstreams[u]",
        False,
    ),
    "less redaction": (
        {"llm": {"redact": [{"detector": "email"}]}},
        {"llm": {"redact": [{"detector": "email", "direction": "request"}]}},
        "llm.redact[email:mask:both]",
        False,
    ),
    "lower prices": (
        {"llm": {"prices": {"m": {"input": 2, "output": 2}}}, "budget": {"dollars_per_month": 1}},
        {"llm": {"prices": {"m": {"input": 1, "output": 1}}}, "budget": {"dollars_per_month": 1}},
        "budget.dollars_per_month[1]",
        False,
    ),
    "a budget": (
        {"budget": {"tokens_per_day": 5, "tokens_per_call": 5}},
        {"budget": {"tokens_per_day": 6, "tokens_per_call": 5}},
        "budget.tokens_per_day[6]",
        True,
    ),
    "a lost limit": (
        {"process": {"memory_mb": 5, "max_processes": 5}},
        {"process": {"memory_mb": 5}},
        "process.max_processes[5]",
        True,
    ),
    "another user": (
        {"process": {"run_as_uid": 5}},
        {"process": {"run_as_uid": 6}},
        "process.run_as_uid[6]",
        True,
    ),
    "variables by default": (
        {"credentials": {}},
        {"credentials": {"default": "allow"}},
        "credentials.default[allow]",
        True,
    ),
    "no longer hidden": (
        {"credentials": {"default": "allow", "hide_env": ["A"]}},
        {"credentials": {"default": "allow"}},
        "credentials.hide_env[A]",
        True,
    ),
    "a secret": ({"credentials": {}}, secret(), "credentials.secrets[A]", True),
    "another secret": (secret(), secret(ref="vault:b"), "credentials.secrets[A]", False),
    "a secret to anywhere": (
        secret(domains=["a.com"]),
        secret(),
        "credentials.secrets[A].domains[a.com]",
        False,
    ),
    "a secret to elsewhere": (
        secret(domains=["a.com"]),
        secret(domains=["a.com", "b.com"]),
        "credentials.secrets[A].domains[b.com]",
        False,
    ),
    "observing": ({}, {"mode": "observe"}, "mode[observe]", False),
    "retaining": (
        {},
        {"on_expiry": "retain", "retain_until": "2026-05-01T00:00:00Z"},
        "on_expiry[retain]",
        False,
    ),
    "lost freshness": ({"freshness": {"max_age_s": 5}}, {}, "head.freshness[5]", False),
    "an extension": ({}, {"extensions": {"v": {"k": 1}}}, "extensions.v.k", False),
    "a parameter in more folders": (
        {"params": {"p": {"type": "path", "under": ["/a"]}}},
        {"params": {"p": {"type": "path"}}},
        "params.p",
        False,
    ),
}


@pytest.mark.parametrize("name", WIDER)
def test_wider(name):
    strict, loose, statement, seen = WIDER[name]
    old, new = policy(strict), policy(loose)
    assert not is_narrower(new, old)
    found = [w for w in widenings(old, new) if w.statement == statement]
    assert found
    assert any(w.action is not None for w in found) is seen
    for widening in found:
        if widening.action is None:
            assert "cannot be proven narrower" in widening.why
        else:
            before = decide(EffectivePolicy(old), widening.action).effect
            after = decide(EffectivePolicy(new), widening.action).effect
            assert before.strictness > after.strictness


# Pairs where neither is narrower: they differ in kind, not in degree.
UNRELATED = {
    "another program",
    "another gateway",
    "another user",
    "another secret",
    "lower prices",
    "a known tool",
    "less redaction",
    # Asking about `git push *` also asks about `env git push`, which allowing `git *` never let through.
    "a lost question",
}


@pytest.mark.parametrize("name", [name for name in WIDER if name not in UNRELATED])
def test_and_the_other_way_round_is_narrower(name):
    strict, loose, _, _ = WIDER[name]
    assert is_narrower(policy(strict), policy(loose))
    assert widenings(policy(loose), policy(strict)) == []


def test_renewal_is_no_widening():
    old = policy({"network": {}})
    new = policy({"network": {}, "version": 2, "expires_at": "2027-01-01T00:00:00Z"})
    assert is_narrower(new, old)


def test_an_example_is_the_strongest_one():
    old = policy({"network": {}, "tools": {}})
    new = policy({"network": {}, "tools": {"allow": ["Read"]}})
    found = widenings(old, new)
    assert [(w.old, w.new) for w in found] == [("deny", "unmanaged")]
    assert isinstance(found[0].action, a.Tool)
