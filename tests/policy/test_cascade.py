"""The cascade, rule by rule: what stands below, and every refusal with its line."""

import pytest

from tappass_host.policy.cascade import compose
from tappass_host.policy.cascade.rules import FIELDS
from tappass_host.policy.errors import CascadeViolationError, PolicyError
from tappass_host.policy.shape import Fields, Table, policy_shape

STDIO = "{kind: stdio, argv: [/bin/x]}"
HTTP = "{kind: http, url: 'https://s.test/'}"
VIEW = "{name: v, table: t, columns: [a, b]}"

# name: (org, project, statements that must be there, statements that must not)
NARROWS = {
    "an entry within one above stands": (
        "network: {allow_domains: ['*.a.com']}",
        "network: {allow_domains: [x.a.com:443]}",
        {"network.allow_domains[x.a.com:443]"},
        {"network.allow_domains[*.a.com]"},
    ),
    "an unsaid list stands above": (
        "network: {allow_domains: [a.com]}",
        "network: {deny_domains: [b.com]}",
        {"network.allow_domains[a.com]", "network.deny_domains[b.com]"},
        set(),
    ),
    "a list stands where there is none above": (
        "network: {default: deny}",
        "network: {allow_domains: [a.com]}",
        {"network.allow_domains[a.com]"},
        set(),
    ),
    "an empty list means none": (
        "network: {allow_domains: [a.com]}",
        "network: {allow_domains: []}",
        {"network.default[deny]"},
        {"network.allow_domains[a.com]"},
    ),
    "a list under an open default stands": (
        "network: {default: allow, allow_domains: [a.com]}",
        "network: {default: deny, allow_domains: [b.com]}",
        {"network.default[deny]", "network.allow_domains[b.com]"},
        {"network.allow_domains[a.com]"},
    ),
    "denials add up": (
        "network: {deny_domains: [a.com]}",
        "network: {deny_domains: [b.com, a.com]}",
        {"network.deny_domains[a.com]", "network.deny_domains[b.com]"},
        set(),
    ),
    "a default gets stricter": (
        "tools: {default: allow, unknown: ask}",
        "tools: {default: ask, unknown: deny}",
        {"tools.default[ask]", "tools.unknown[deny]"},
        {"tools.default[allow]", "tools.unknown[ask]"},
    ),
    "an unsaid default is deny": ("network: {}", "", {"network.default[deny]", "network.local[deny]"}, set()),
    "numbers go down": (
        "budget: {tokens_per_day: 9}",
        "budget: {tokens_per_day: 8, tokens_per_call: 7}",
        {"budget.tokens_per_day[8]", "budget.tokens_per_call[7]"},
        {"budget.tokens_per_day[9]"},
    ),
    "an aspect left out above may be managed below": (
        "",
        "budget: {tokens_per_day: 8}",
        {"budget.tokens_per_day[8]"},
        set(),
    ),
    "tool rules narrow by their grammar": (
        "tools: {allow: ['Bash(git *)', '@read']}",
        "tools: {allow: ['Bash(git status)', 'Read(/ws)']}",
        {"tools.allow[Bash(git status)]", "tools.allow[Read(/ws)]"},
        {"tools.allow[Bash(git *)]", "tools.allow[@read]"},
    ),
    "asking about what is allowed": (
        "tools: {allow: ['Bash(git *)']}",
        "tools: {ask: ['Bash(git push *)']}",
        {"tools.allow[Bash(git *)]", "tools.ask[Bash(git push *)]"},
        set(),
    ),
    "asking stays when allowing shrinks": (
        "tools: {allow: [Read, Write], ask: ['Bash(git push *)']}",
        "tools: {allow: [Read]}",
        {"tools.ask[Bash(git push *)]"},
        {"tools.allow[Write]"},
    ),
    "constraints narrow": (
        "tools: {constraints: {foo: {n: {range: {max: 9}}}}}",
        "tools: {constraints: {foo: {n: {range: {max: 5}}}}}",
        {'tools.constraints.foo.n[{"range":{"max":5}}]'},
        {'tools.constraints.foo.n[{"range":{"max":9}}]'},
    ),
    "a named server narrows, an unnamed one goes": (
        f"mcp: {{servers: [{{id: s, transport: {STDIO}, tools: {{allow: [x, y]}}}}, {{id: t, transport: {HTTP}}}]}}",
        "mcp: {servers: [{id: s, tools: {allow: [x]}}]}",
        {"mcp.servers[s]", "mcp.servers[s].tools.allow[x]"},
        {"mcp.servers[t]", "mcp.servers[s].tools.allow[y]"},
    ),
    "a rule that was moved names no server away": (
        f"mcp: {{servers: [{{id: s, transport: {HTTP}, tools: {{allow: [x]}}}}, {{id: t, transport: {HTTP}}}]}}",
        "tools: {deny: [mcp__s__x]}",
        {"mcp.servers[s].tools.deny[x]", "mcp.servers[t]"},
        set(),
    ),
    "under an open default an unnamed server keeps its rules": (
        f"mcp: {{default: allow, servers: [{{id: s, transport: {HTTP}, tools: {{deny: [x]}}}}]}}",
        "mcp: {servers: []}",
        {"mcp.servers[s].tools.deny[x]"},
        set(),
    ),
    "an http server where none are listed above": (
        "",
        f"mcp: {{servers: [{{id: s, transport: {HTTP}}}]}}",
        {"mcp.servers[s]"},
        set(),
    ),
    "modules narrow by package": (
        "interpreter: {allow_imports: [os, json]}",
        "interpreter: {allow_imports: [os.path]}",
        {"interpreter.allow_imports[os.path]"},
        {"interpreter.allow_imports[os]"},
    ),
    "columns narrow": (
        f"data: {{sources: [{{id: d, kind: duckdb, path: /d, views: [{VIEW}]}}]}}",
        "data: {sources: [{id: d, views: [{name: v, columns: [b], max_rows: 5}]}]}",
        {"data.sources[d].views[v].columns[b]", "data.sources[d].views[v].max_rows[5]"},
        {"data.sources[d].views[v].columns[a,b]"},
    ),
    "models narrow by prefix": (
        "llm: {models: {allow: [claude-*]}}",
        "llm: {models: {allow: [claude-3*], deny: [claude-3-old]}}",
        {"llm.models.allow[claude-3*]", "llm.models.deny[claude-3-old]"},
        {"llm.models.allow[claude-*]"},
    ),
    "redaction adds up, in order": (
        "llm: {redact: [{detector: zip}]}",
        "llm: {redact: [{detector: email}]}",
        {"llm.redact[zip:mask:both]", "llm.redact[email:mask:both]"},
        set(),
    ),
    "what is granted above may be repeated": (
        "extensions: {acme: {key: 1}}\nprocess: {run_as_uid: 1000}",
        "extensions: {acme: {key: 1}}\nprocess: {run_as_uid: 1000}",
        {"extensions.acme.key[1]", "process.run_as_uid[1000]"},
        set(),
    ),
    "a secret is confined": (
        "credentials: {secrets: [{env: A, ref: 'vault:a'}]}",
        "credentials: {secrets: [{env: A, domains: [a.com]}], hide_env: [B]}",
        {"credentials.secrets[A].domains[a.com]", "credentials.hide_env[B]"},
        set(),
    ),
    "a folder within the workspace": (
        "filesystem: {workspace: /ws, read_only: [/usr]}",
        "filesystem: {workspace: /ws/sub}",
        {"filesystem.workspace[/ws/sub]", "filesystem.read_only[/usr]"},
        {"filesystem.workspace[/ws]"},
    ),
    "a read-only folder within a writable one is a restriction": (
        "filesystem: {workspace: /ws, read_only: [/usr, /ws/vendor]}",
        "filesystem: {read_only: [/usr/lib, /ws/docs]}",
        {
            "filesystem.read_only[/ws/vendor]",
            "filesystem.read_only[/ws/docs]",
            "filesystem.read_only[/usr/lib]",
        },
        {"filesystem.read_only[/usr]"},
    ),
    "no workspace at all": (
        "filesystem: {workspace: /ws, deny_paths: ['**/.env']}",
        "filesystem: {workspace: '', read_only: [/ws]}",
        {"filesystem.read_only[/ws]", "filesystem.deny_paths[/ws/**/.env]"},
        {"filesystem.workspace[/ws]"},
    ),
    "relative denials stay with a root that is given up": (
        "filesystem: {default: read_only, workspace: /ws, deny_paths: ['**/.env']}",
        "filesystem: {workspace: /ws/sub}",
        {"filesystem.deny_paths[**/.env]", "filesystem.deny_paths[/ws/**/.env]"},
        set(),
    ),
    "relative denials stay when writing everywhere ends": (
        "filesystem: {default: allow, deny_paths: ['**/.env']}",
        "filesystem: {default: read_only, workspace: /ws}",
        {"filesystem.deny_paths[/**/.env]"},
        set(),
    ),
}


@pytest.mark.parametrize("name", NARROWS)
def test_narrows(says, name):
    org, project, there, gone = NARROWS[name]
    found = says(org=org, project=project)
    assert there <= found
    assert not gone & found


# name: (org, project, rule, column of the entry in line 3 of project.yaml)
REFUSED = {
    "a new destination": (
        "network: {allow_domains: [a.com]}",
        "network: {allow_domains: [b.com]}",
        "allow lists may only shrink",
        27,
    ),
    "a wider destination": (
        "network: {allow_domains: [a.com]}",
        "network: {allow_domains: ['*.com.com']}",
        "allow lists may only shrink",
        27,
    ),
    "a portless one over a port": (
        "network: {allow_domains: ['a.com:8443']}",
        "network: {allow_domains: [a.com]}",
        "allow lists may only shrink",
        27,
    ),
    "a looser default": ("network: {}", "network: {default: allow}", "may only be stricter", 20),
    "local addresses": ("network: {}", "network: {local: allow}", "may only be stricter", 18),
    "an unsaid word of the head": ("", "mode: observe", "may only be stricter", 7),
    "retaining after the end": ("", "on_expiry: retain", "may only be stricter", 12),
    "leaving out what is managed": ("network: {}", "network: unmanaged", "may not unmanage", 10),
    "a socket": (
        "network: {}",
        "network: {allow_unix: [/run/docker.sock]}",
        "allow lists may only shrink",
        24,
    ),
    "a higher number": ("process: {memory_mb: 5}", "process: {memory_mb: 6}", "may only be lower", 22),
    "a user id": ("process: {memory_mb: 5}", "process: {run_as_uid: 0}", "only a level above may grant", 23),
    "another user id": (
        "process: {run_as_uid: 5}",
        "process: {run_as_uid: 6}",
        "only a level above may grant",
        23,
    ),
    "a user id where nothing is managed": (
        "",
        "process: {run_as_uid: 5}",
        "only a level above may grant",
        23,
    ),
    "an extension": ("", "extensions: {acme: {key: 1}}", "only a level above may grant", 26),
    "another extension": (
        "extensions: {acme: {key: 1}}",
        "extensions: {acme: {key: 2}}",
        "only a level above may grant",
        26,
    ),
    "a program": (
        "",
        f"mcp: {{servers: [{{id: s, transport: {STDIO}}}]}}",
        "only a level above may grant",
        17,
    ),
    "a program under an open default": (
        "mcp: {default: allow}",
        f"mcp: {{servers: [{{id: s, transport: {STDIO}}}]}}",
        "only a level above may grant",
        17,
    ),
    "another program for a server": (
        f"mcp: {{servers: [{{id: s, transport: {STDIO}}}]}}",
        "mcp: {servers: [{id: s, transport: {kind: stdio, argv: [/bin/y]}}]}",
        "may not change",
        36,
    ),
    "a server that is not listed above": (
        f"mcp: {{servers: [{{id: s, transport: {HTTP}}}]}}",
        f"mcp: {{servers: [{{id: t, transport: {HTTP}}}]}}",
        "allow lists may only shrink",
        17,
    ),
    "a secret for a server": (
        f"mcp: {{servers: [{{id: s, transport: {HTTP}}}]}}",
        "mcp: {servers: [{id: s, auth_ref: 'vault:x'}]}",
        "only a level above may grant",
        35,
    ),
    "a secret": (
        "credentials: {}",
        "credentials: {secrets: [{env: A, ref: 'vault:a'}]}",
        "only a level above may grant",
        25,
    ),
    "another value of a secret": (
        "credentials: {secrets: [{env: A, ref: 'vault:a'}]}",
        "credentials: {secrets: [{env: A, ref: 'vault:b'}]}",
        "may not change",
        39,
    ),
    "a secret to a new place": (
        "credentials: {secrets: [{env: A, ref: 'vault:a', domains: [a.com]}]}",
        "credentials: {secrets: [{env: A, domains: [b.com]}]}",
        "may only be sent to fewer places",
        44,
    ),
    "an upstream": (
        "llm: {}",
        "llm: {upstreams: [{id: u, kind: k, base_url: 'https://u.test'}]}",
        "only a level above may grant",
        19,
    ),
    "a gateway": ("llm: {}", "llm: {gateway_url: 'https://g.test'}", "only a level above may grant", 20),
    "prices": (
        "llm: {}",
        "llm: {prices: {m: {input: 1, output: 1}}}",
        "only a level above may grant",
        19,
    ),
    "a tool": ("tools: {allow: [Read]}", "tools: {allow: [Write]}", "allow lists may only shrink", 17),
    "a wider command": (
        "tools: {allow: ['Bash(git status)']}",
        "tools: {allow: ['Bash(git *)']}",
        "allow lists may only shrink",
        17,
    ),
    "asking for what is denied": (
        "tools: {allow: [Read]}",
        "tools: {ask: [Write]}",
        "may not ask for what is denied",
        15,
    ),
    "asking for an unknown tool": (
        "tools: {default: ask, unknown: deny, allow: [Read]}",
        "tools: {ask: [brand_new]}",
        "may not ask for what is denied",
        15,
    ),
    "naming an unknown tool in a constraint": (
        "tools: {default: allow, unknown: deny}",
        "tools: {constraints: {brand_new: {x: {const: 1}}}}",
        "may not name an unknown tool",
        34,
    ),
    "naming an unknown tool as a source of taint": (
        "tools: {default: allow, unknown: deny}",
        "tools: {taint_sources: {web: [brand_new]}}",
        "may not name an unknown tool",
        31,
    ),
    "a wider constraint": (
        "tools: {constraints: {foo: {n: {one_of: [1, 2]}}}}",
        "tools: {constraints: {foo: {n: {const: 3}}}}",
        "constraints may only narrow",
        32,
    ),
    "a new column": (
        f"data: {{sources: [{{id: d, kind: duckdb, path: /d, views: [{VIEW}]}}]}}",
        "data: {sources: [{id: d, views: [{name: v, columns: [c]}]}]}",
        "allow lists may only shrink",
        54,
    ),
    "another filter": (
        f"data: {{sources: [{{id: d, kind: duckdb, path: /d, views: [{VIEW[:-1]}, row_filter: 'a > 1'}}]}}]}}",
        "data: {sources: [{id: d, views: [{name: v, row_filter: 'a > 0'}]}]}",
        "may not change",
        56,
    ),
    "a wider model": (
        "llm: {models: {allow: [claude-3*]}}",
        "llm: {models: {allow: [claude-*]}}",
        "allow lists may only shrink",
        24,
    ),
    "writing elsewhere": (
        "filesystem: {workspace: /ws}",
        "filesystem: {read_write: [/etc]}",
        "filesystem grants may only shrink",
        27,
    ),
    "writing where it is read-only": (
        "filesystem: {workspace: /ws, read_only: [/ws/vendor]}",
        "filesystem: {read_write: [/ws/vendor/x]}",
        "filesystem grants may only shrink",
        27,
    ),
    "writing what a read-only glob may mean": (
        "filesystem: {workspace: /ws, read_only: ['/ws/**/gen']}",
        "filesystem: {read_write: [/ws/a]}",
        "filesystem grants may only shrink",
        27,
    ),
    "reading elsewhere": (
        "filesystem: {read_only: [/usr]}",
        "filesystem: {read_only: [/etc]}",
        "filesystem grants may only shrink",
        26,
    ),
    "a parameter of another type": (
        "params: {p: {type: path}}",
        "params: {p: {type: string}}",
        "may not change",
        20,
    ),
    "a parameter in more folders": (
        "params: {p: {type: path, under: [/a]}}",
        "params: {p: {type: path, under: [/b]}}",
        "allow lists may only shrink",
        34,
    ),
    "freshness": (
        "freshness: {max_age_s: 5}",
        "freshness: {max_age_s: 6}",
        "may only be lower",
        24,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_the_looser_value_at_its_line(cascade, name):
    org, project, rule, column = REFUSED[name]
    with pytest.raises(CascadeViolationError) as caught:
        cascade(org=org, project=project)
    assert caught.value.message.startswith(rule)
    assert "level project project" in caught.value.message
    assert caught.value.source == f"project.yaml:3:{column}"
    assert caught.value.remedy


# name: (levels, what, source)
WRONG = {
    "no org": ({"project": "network: {}"}, "there is no org level", ""),
    "an undeclared server": (
        {"org": "tools: {allow: [mcp__s__t]}\nmcp: {}"},
        "MCP server s is not declared",
        "org.yaml:3:17",
    ),
    "a rule for an undeclared server under an open default": (
        {"org": "mcp: {default: allow}\ntools: {deny: [mcp__s__t]}"},
        "MCP server s is not declared",
        "org.yaml:4:16",
    ),
    "a rule for a server where mcp is left out": (
        {"org": "mcp: unmanaged", "project": "tools: {deny: [mcp__s__t]}"},
        "MCP server s is not declared",
        "project.yaml:3:16",
    ),
    "a category that nobody knows": (
        {"org": "network: {deny_categories: [nope]}"},
        "category nope is not in catalogue version",
        "org.yaml:3:29",
    ),
    "a view without its table": (
        {"org": "data: {sources: [{id: d, kind: k, path: /d, views: [{name: v, columns: [a]}]}]}"},
        "missing required field `table`",
        "org.yaml:3:53",
    ),
    "a budget that says nothing": ({"org": "budget: {}"}, "managed, yet it says nothing", "org.yaml:3:9"),
    "an undeclared parameter": (
        {"org": "filesystem: {workspace: '${ws}'}"},
        "parameter ws is not declared",
        "org.yaml:3:25",
    ),
    "a relative program": (
        {"org": "mcp: {servers: [{id: s, transport: {kind: stdio, argv: [npx]}}]}"},
        "not an absolute path",
        "org.yaml:3:36",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_refuses_what_makes_no_sense_at_its_line(cascade, name):
    levels, what, source = WRONG[name]
    with pytest.raises(PolicyError) as caught:
        cascade(**levels)
    assert what in caught.value.message
    assert caught.value.source == source
    assert caught.value.remedy


def test_an_aspect_left_out_needs_the_word(author, head, catalogue):
    level = author("org", "network: {}", complete=False)
    with pytest.raises(PolicyError, match="org org says nothing about filesystem") as caught:
        compose([level], head=head, catalogue=catalogue)
    assert "filesystem: unmanaged" in caught.value.remedy
    assert caught.value.source.startswith("org.yaml:")


def test_a_moved_rule_does_not_manage_mcp(author, head, catalogue):
    text = "network: {}\nfilesystem: {}\ntools: {deny: [mcp__s__t]}"
    with pytest.raises(PolicyError, match="says nothing about mcp"):
        compose([author("org", text, complete=False)], head=head, catalogue=catalogue)


def test_every_field_has_a_rule():
    # A field without one would crash at the first level that uses it.
    special = {
        "filesystem.workspace",
        "filesystem.read_only",
        "filesystem.read_write",
        "filesystem.deny_paths",
    }
    missing = set(_leaves(policy_shape(), "")) - set(FIELDS) - special
    keys = {
        "mcp.servers.id",
        "data.sources.id",
        "data.sources.views.name",
        "llm.upstreams.id",
        "credentials.secrets.env",
    }
    assert missing == keys


def _leaves(shape, field):
    if isinstance(shape, Fields):
        for name, inner in shape.fields.items():
            yield from _leaves(inner, f"{field}.{name}".lstrip("."))
    elif isinstance(shape, Table):
        yield from _leaves(shape.row, f"{field}.*" if isinstance(shape.row, Table) else field)
    else:
        yield field
