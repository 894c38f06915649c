"""Lint: each remark fires where it should and stays silent beside it."""

import pytest

from tappass_host.policy.lint import lint

HTTP = "{kind: http, url: 'https://s.test/'}"

# name: (org, code, statement)
REMARKS = {
    "git": ("tools: {allow: ['Bash(git *)']}", "launcher", "tools.allow[Bash(git *)]"),
    "git by path": (
        "tools: {allow: ['Bash(/usr/bin/git *)']}",
        "launcher",
        "tools.allow[Bash(/usr/bin/git *)]",
    ),
    "npm run": ("tools: {allow: ['Bash(npm run *)']}", "launcher", "tools.allow[Bash(npm run *)]"),
    "find": ("tools: {allow: ['Bash(find *)']}", "launcher", "tools.allow[Bash(find *)]"),
    "env": ("tools: {allow: ['Bash(env *)']}", "launcher", "tools.allow[Bash(env *)]"),
    "every command": ("tools: {allow: [Bash]}", "wide", "tools.allow[Bash]"),
    "every command as a group": ("tools: {allow: ['@shell']}", "wide", "tools.allow[@shell]"),
    "shared hosting": (
        "network: {allow_domains: ['*.github.io']}",
        "wide",
        "network.allow_domains[*.github.io]",
    ),
    "above shared hosting": (
        "network: {allow_domains: ['*.windows.net']}",
        "wide",
        "network.allow_domains[*.windows.net]",
    ),
    "a wide range": ("network: {allow_cidrs: ['0.0.0.0/1']}", "wide", "network.allow_cidrs[0.0.0.0/1]"),
    "a whole home": ("filesystem: {read_write: ['~']}", "wide", "filesystem.read_write[~]"),
    "the whole machine": ("filesystem: {read_write: [/]}", "wide", "filesystem.read_write[/]"),
    "relative denial beside readable files": (
        "filesystem: {workspace: /ws, read_only: [/data], deny_paths: ['**/.env']}",
        "relative-deny",
        "filesystem.deny_paths[**/.env]",
    ),
    "an allowed tool that is denied": (
        "tools: {allow: ['Bash(git status)'], deny: ['Bash(git *)']}",
        "dead",
        "tools.allow[Bash(git status)]",
    ),
    "an allowed tool that is asked about": (
        "tools: {allow: [Read], ask: ['@read']}",
        "dead",
        "tools.allow[Read]",
    ),
    "a question about what is denied": (
        "tools: {ask: [Write], deny: ['@edit']}",
        "dead",
        "tools.ask[Write]",
    ),
    "a denied destination": (
        "network: {allow_domains: [x.a.com], deny_domains: ['*.a.com']}",
        "dead",
        "network.allow_domains[x.a.com]",
    ),
    "a destination in a denied category": (
        "network: {allow_domains: [pastebin.com], deny_categories: [paste_services]}",
        "dead",
        "network.allow_domains[pastebin.com]",
    ),
    "a destination that the default allows": (
        "network: {default: allow, allow_domains: [a.com]}",
        "dead",
        "network.allow_domains[a.com]",
    ),
    "a writable folder in a denied one": (
        "filesystem: {read_write: [/a/b], deny_paths: [/a]}",
        "dead",
        "filesystem.read_write[/a/b]",
    ),
    "writable and read-only": (
        "filesystem: {read_write: [/a], read_only: [/a]}",
        "dead",
        "filesystem.read_write[/a]",
    ),
    "a denied import": (
        "interpreter: {allow_imports: [os.path], deny_imports: [os]}",
        "dead",
        "interpreter.allow_imports[os.path]",
    ),
    "a hidden secret": (
        "credentials: {secrets: [{env: A, ref: 'vault:a'}], hide_env: [A]}",
        "dead",
        "credentials.secrets[A]",
    ),
    "a denied tool of a server": (
        f"mcp: {{servers: [{{id: s, transport: {HTTP}, tools: {{allow: [x], deny: [x]}}}}]}}",
        "dead",
        "mcp.servers[s].tools.allow[x]",
    ),
    "fetching nowhere": ("tools: {allow: [WebFetch]}\nnetwork: {}", "dead", "tools.allow[WebFetch]"),
    "past the gateway": (
        "llm: {}\nnetwork: {allow_domains: [api.openai.com]}",
        "past-gateway",
        "network.allow_domains[api.openai.com]",
    ),
    "past the gateway by star": (
        "llm: {}\nnetwork: {allow_domains: ['*.anthropic.com']}",
        "past-gateway",
        "network.allow_domains[*.anthropic.com]",
    ),
}


@pytest.mark.parametrize("name", REMARKS)
def test_remarks(cascade, name):
    org, code, statement = REMARKS[name]
    found = [f for f in lint(cascade(org=org).policy) if f.statement == statement]
    assert [f.code for f in found] == [code]
    assert found[0].message.startswith(f"{statement}: ")
    assert found[0].source.startswith("org.yaml:")
    assert found[0].remedy


SILENT = {
    "exact git": "tools: {allow: ['Bash(git status)', 'Bash(git status *)']}",
    "denied or asked launchers": "tools: {ask: ['Bash(npm *)'], deny: ['Bash(find *)']}",
    "one host of shared hosting": "network: {allow_domains: [acme.github.io]}",
    "a small range": "network: {allow_cidrs: ['192.0.2.0/24']}",
    "a denial of one port": "network: {allow_domains: [a.com], deny_domains: ['a.com:8443']}",
    "another port": "network: {allow_domains: ['a.com:8443'], deny_domains: ['a.com:443']}",
    "relative denial where only writable folders are readable": (
        "filesystem: {workspace: /ws, deny_paths: ['**/.env']}"
    ),
    "anchored denial": "filesystem: {default: read_only, workspace: /ws, deny_paths: ['/**/.env']}",
    "a narrower denial": "tools: {allow: ['Bash(make *)'], deny: ['Bash(make install)']}",
    "a folder above a denied one": "filesystem: {read_write: [/a], deny_paths: [/a/b]}",
    "a vendor without a gateway": "network: {allow_domains: [api.openai.com]}",
    "fetching somewhere": "tools: {allow: [WebFetch]}\nnetwork: {allow_domains: [a.com]}",
}


@pytest.mark.parametrize("name", SILENT)
def test_is_silent(cascade, name):
    codes = {f.code for f in lint(cascade(org=SILENT[name]).policy)}
    assert codes <= ({"launcher"} if "make" in SILENT[name] else set())


def test_findings_are_sorted_and_stable(cascade):
    policy = cascade(org="tools: {allow: ['Bash(npm *)', 'Bash(git *)', Bash]}").policy
    found = lint(policy)
    assert found == lint(policy)
    assert [f.source for f in found] == sorted(f.source for f in found)
    assert len(found) == 3
