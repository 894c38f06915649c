"""What the claude-code provider relies on at the edges: files, servers, hooks, gateway, sandbox."""

import json
import sys
from pathlib import Path

import pytest

from tappass_host.prove.drivers.claude_code import MANAGED, PORT, Via
from tappass_host.prove.llm import ScriptedLLM, ToolCall

pytestmark = pytest.mark.live

SERVER = Path(__file__).parent / "data/mcp_server.py"
TOUCH = ["Bash touch t"]
DENY_TOUCH = b'{"permissions":{"deny":["Bash(touch:*)"]}'
GATEWAY = f"http://127.0.0.1:{PORT}"

# File content -> exit code, what became of the denied call, whether it complained.
DOCUMENTS = {
    "sound": (DENY_TOUCH + b"}", 0, "denied", False),
    "byte order mark": (b"\xef\xbb\xbf" + DENY_TOUCH + b"}", 0, "denied", False),
    "not JSON": (b"{", 1, "error", True),
    "an array": (b"[]", 1, "error", True),
    "trailing comma": (DENY_TOUCH + b",}", 1, "error", True),
    "comment": (b"// x\n" + DENY_TOUCH + b"}", 1, "error", True),
    "unknown hook type": (b'{"hooks":{"PreToolUse":[{"hooks":[{"type":"wat"}]}]}}', 1, "error", True),
    "permissions of a wrong type": (b'{"permissions":[]}', 0, "denied", True),
    "one bad rule": (b'{"permissions":{"deny":["Bash(x","Bash(touch:*)"]}}', 0, "denied", True),
    "a truth in quotes": (DENY_TOUCH + b',"allowManagedHooksOnly":"true"}', 0, "denied", True),
    # The ones that leave the machine open, most of them without a word.
    "empty": (b"", 0, "ran", False),
    "duplicate key": (DENY_TOUCH + b',"permissions":{}}', 0, "ran", False),
    "deny of a wrong type": (b'{"permissions":{"deny":"Bash(touch:*)"}}', 0, "ran", True),
    "misspelt key": (b'{"permissions":{"denyy":["Bash(touch:*)"]}}', 0, "ran", False),
    "misspelt tool": (b'{"permissions":{"deny":["Bsh(touch:*)"]}}', 0, "ran", False),
    "version bound that is none": (b'{"requiredMinimumVersion":"banana"}', 0, "ran", False),
    "older than required": (b'{"requiredMinimumVersion":"99.0.0"}', 1, "error", True),
    "newer than allowed": (b'{"requiredMaximumVersion":"2.0.0"}', 1, "error", True),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents(claude, case):
    content, code, kind, complains = DOCUMENTS[case]
    session = claude.run(None, TOUCH, files={"managed-settings.json": content}, skip_permissions=True)
    assert (session.done.rc, session.verdicts[0].kind) == (code, kind)
    assert bool(session.done.stderr.strip()) == complains
    assert session.loaded == (code == 0 and not complains)


def test_drop_ins_merge(claude):
    def document(rule, mode):
        return json.dumps({"permissions": {"deny": [rule], "defaultMode": mode}}).encode()

    files = {
        "managed-settings.json": document("Bash(touch:*)", "dontAsk"),
        "managed-settings.d/20-b.json": document("Bash(rmdir:*)", "acceptEdits"),
        "managed-settings.d/10-a.json": document("Bash(mkdir:*)", "plan"),
        "managed-settings.d/.hidden.json": document("Bash(ls:*)", "plan"),
        "managed-settings.d/other.txt": document("Bash(ls:*)", "plan"),
    }
    session = claude.run(None, ["Bash touch t", "Bash mkdir d", "Bash rmdir d", "Bash ls"], files=files)
    assert [v.kind for v in session.verdicts] == ["denied", "denied", "denied", "ran"]
    assert session.init["permissionMode"] == "acceptEdits"


class Servers:
    """Two MCP servers of the user's, and which of them were started."""

    GOOD, EVIL, ROGUE = (ToolCall(f"mcp__{name}", {}) for name in ("corp__good", "corp__evil", "rogue__good"))

    def __init__(self, claude):
        self.claude = claude
        self.marks = claude.root / "marks"
        self.marks.mkdir()
        user = {"mcpServers": {name: self.entry(name) for name in ("corp", "rogue")}}
        (claude.home / ".claude.json").write_text(json.dumps(user))

    def argv(self, name):
        return [sys.executable, str(SERVER), name]

    def entry(self, name):
        command, *args = self.argv(name)
        return {"type": "stdio", "command": command, "args": args}

    def run(self, settings, *, mcp=None, **options):
        files = {} if mcp is None else {"managed-mcp.json": mcp}
        script, env = [self.GOOD, self.EVIL, self.ROGUE], {"MARK": str(self.marks)}
        settings = {
            **settings,
            "permissions": {"allow": ["mcp__corp", "mcp__rogue"], **settings.get("permissions", {})},
        }
        session = self.claude.run(settings, script, files=files, env=env, **options)
        return [v.kind for v in session.verdicts], sorted(mark.name for mark in self.marks.iterdir()), session


@pytest.fixture
def servers(claude):
    return Servers(claude)


ONLY_MANAGED = {"allowManagedMcpServersOnly": True}


@pytest.mark.parametrize(
    ("case", "kinds", "started"),
    [
        ("nothing", ["ran", "ran", "ran"], ["corp", "rogue"]),
        ("by command", ["ran", "ran", "error"], ["corp"]),
        ("by name", ["ran", "ran", "error"], ["corp"]),
        ("none", ["error", "error", "error"], []),
        ("one tool denied", ["ran", "denied", "ran"], ["corp", "rogue"]),
        ("one tool allowed", ["ran", "denied", "denied"], ["corp", "rogue"]),
    ],
)
def test_server_and_tool_lists(servers, case, kinds, started):
    settings = {
        "nothing": {},
        "by command": {"allowedMcpServers": [{"serverCommand": servers.argv("corp")}], **ONLY_MANAGED},
        "by name": {"allowedMcpServers": [{"serverName": "corp"}], **ONLY_MANAGED},
        "none": {"allowedMcpServers": [], **ONLY_MANAGED},
        "one tool denied": {"permissions": {"deny": ["mcp__corp__evil"]}},
        "one tool allowed": {"permissions": {"allow": ["mcp__corp__good"], "defaultMode": "dontAsk"}},
    }[case]
    assert servers.run(settings)[:2] == (kinds, started)


@pytest.mark.parametrize(
    ("names", "kinds", "started"),
    [(["corp"], ["ran", "ran", "error"], ["corp"]), ([], ["error", "error", "error"], [])],
)
def test_managed_servers_are_exclusive(servers, names, kinds, started):
    mcp = json.dumps({"mcpServers": {name: servers.entry(name) for name in names}}).encode()
    assert servers.run({}, mcp=mcp)[:2] == (kinds, started)


def test_managed_servers_are_not_held_against_the_allow_list(servers):
    mcp = json.dumps({"mcpServers": {name: servers.entry(name) for name in ("corp", "rogue")}}).encode()
    listed = {"allowedMcpServers": [{"serverCommand": servers.argv("corp")}], **ONLY_MANAGED}
    assert servers.run(listed, mcp=mcp)[1] == ["corp", "rogue"]


def test_a_broken_server_file_is_an_empty_one(servers):
    kinds, started, session = servers.run({}, mcp=b"{")
    assert (set(kinds), started, session.loaded) == ({"error"}, [], True)


@pytest.mark.parametrize(
    ("settings", "mcp", "flags"),
    [
        ({}, b'{"mcpServers":{}}', ["--mcp-config", "{}"]),
        ({}, b'{"mcpServers":{}}', ["--strict-mcp-config"]),
        ({"disableSideloadFlags": True}, None, ["--mcp-config", '{"mcpServers":{"x":{"command":"x"}}}']),
        ({"disableSideloadFlags": True}, None, ["--agents", '{"x":{"description":"d","prompt":"p"}}']),
    ],
)
def test_side_doors_refuse_to_start(servers, settings, mcp, flags):
    kinds, started, session = servers.run(settings, mcp=mcp, extra_argv=flags)
    assert (session.done.rc, set(kinds), started) == (1, {"error"}, [])


def hook(command, **more):
    handler = {"type": "command", "command": command, **more}
    return {"allowManagedHooksOnly": True, "hooks": {"PreToolUse": [{"matcher": "*", "hooks": [handler]}]}}


def decision(word):
    return (
        f"""echo '{{"hookSpecificOutput":{{"hookEventName":"PreToolUse","permissionDecision":"{word}"}}}}'"""
    )


HOOKS = {
    "exit 2": (hook("echo no >&2; exit 2"), "denied"),
    "exit 2, silent": (hook("exit 2"), "denied"),
    "deny": (hook(decision("deny")), "denied"),
    "deny, exit 1": (hook(decision("deny") + "; exit 1"), "denied"),
    "ask": (hook(decision("ask")), "unapproved"),
    "argument list": (hook("/bin/sh", args=["-c", "exit 2"]), "denied"),
    "closed by a wrapper": (
        hook("timeout 0.2 sleep 5 || { echo unavailable >&2; exit 2; }", timeout=3),
        "denied",
    ),
    # Every other way to end leaves the call to run.
    "exit 1": (hook("exit 1"), "ran"),
    "junk": (hook("echo junk"), "ran"),
    "cut short": (hook('printf \'{"hookSpecificOutput":{"permissionDecision":"deny\''), "ran"),
    "no such program": (hook("/no/such/program"), "ran"),
    "too slow": (hook("sleep 9", timeout=1), "ran"),
    "stop": (hook("""echo '{"continue":false}'"""), "ran"),
}


@pytest.mark.parametrize("case", HOOKS)
def test_hooks(claude, case):
    settings, kind = HOOKS[case]
    assert claude.run(settings, TOUCH, skip_permissions=True).verdicts[0].kind == kind


@pytest.mark.parametrize(
    "flags",
    [["--settings", '{"disableAllHooks":true}'], ["--bare"], ["--safe-mode"], ["--setting-sources", ""]],
)
def test_managed_hooks_cannot_be_switched_off(claude, flags):
    session = claude.run(hook("exit 2"), TOUCH, skip_permissions=True, extra_argv=flags)
    assert (session.verdicts[0].kind, session.verdicts[0].by) == ("denied", "hook")


def test_a_hook_allows_past_the_mode_but_not_past_a_rule(claude):
    rules = {"defaultMode": "dontAsk", "deny": ["Bash(touch:*)"], "ask": ["Bash(rmdir:*)"]}
    lines = ["Bash mkdir d", "Bash touch t", "Bash rmdir d"]
    session = claude.run(hook(decision("allow")) | {"permissions": rules}, lines)
    assert [v.kind for v in session.verdicts] == ["ran", "denied", "denied"]


PIN = {"env": {"ANTHROPIC_BASE_URL": GATEWAY}}
PROVIDERS = {"allowedProviders": ["customEndpoint"]}
ELSEWHERE = "http://127.0.0.1:9"
WAYS_OUT = {
    "unix socket": {"ANTHROPIC_UNIX_SOCKET": "@socket"},
    "vertex": {"CLAUDE_CODE_USE_VERTEX": "1"},
    "foundry": {"CLAUDE_CODE_USE_FOUNDRY": "1", "ANTHROPIC_FOUNDRY_BASE_URL": ELSEWHERE},
    "bedrock": {
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "AWS_REGION": "us-east-1",
        "ANTHROPIC_BEDROCK_BASE_URL": ELSEWHERE,
    },
}


def test_gateway_pin_beats_the_users_environment(claude):
    assert claude.run(PIN, ["Bash ls"], env={"ANTHROPIC_BASE_URL": ELSEWHERE}).verdicts[0].kind == "ran"
    assert claude.run({}, ["Bash ls"], env={"ANTHROPIC_BASE_URL": ELSEWHERE}, timeout=20).requests == []
    flags = ["--settings", json.dumps({"env": {"ANTHROPIC_BASE_URL": ELSEWHERE}})]
    assert claude.run(PIN, ["Bash ls"], extra_argv=flags).verdicts[0].kind == "ran"


@pytest.mark.parametrize("way", WAYS_OUT)
def test_gateway_pin_needs_the_list_of_providers(claude, way):
    with ScriptedLLM([ToolCall("Bash", {"command": "ls"})], unix_socket=claude.root / "own.sock") as own:
        env = {
            key: value.replace("@socket", str(claude.root / "own.sock"))
            for key, value in WAYS_OUT[way].items()
        }
        assert claude.run(PIN, ["Bash ls"], env=env, timeout=20).requests == []
        left = len(own.requests)
        shut = claude.run(PIN | PROVIDERS, ["Bash ls"], env=env, timeout=20)
        assert (shut.done.rc, shut.requests, len(own.requests)) == (1, [], left)
        assert "managed settings allow Claude Code to use" in shut.done.stderr
    assert (left > 0) == (way == "unix socket")


def test_providers_need_the_pin(claude):
    assert claude.run(PROVIDERS, ["Bash ls"]).done.rc == 1
    assert claude.run(PIN | PROVIDERS, ["Bash ls"]).verdicts[0].kind == "ran"


def test_proxy_is_pinned_away(claude):
    env = {"HTTP_PROXY": ELSEWHERE, "http_proxy": ELSEWHERE}
    assert claude.run(PIN, ["Bash ls"], env=env, timeout=20).requests == []
    pinned = {"env": PIN["env"] | dict.fromkeys(env, "")}
    assert claude.run(pinned, ["Bash ls"], env=env).verdicts[0].kind == "ran"


def sandboxed(**more):
    return {
        "sandbox": {"enabled": True, "failIfUnavailable": True, "allowUnsandboxedCommands": False, **more}
    }


@pytest.fixture
def sandbox(claude, located):
    located("bubblewrap", "socat")
    return claude


def test_sandbox_files(sandbox):
    filesystem = {"denyRead": ["@ws/secret"], "allowWrite": ["@out"], "denyWrite": ["@ws/sub"]}
    lines = {
        "Bash cat secret/k": True,
        "Bash python3 -c \"open('secret/k').read()\"": True,
        "Bash echo 1 > n": False,
        "Bash echo 1 > @out/n": False,
        "Bash echo 1 > sub/n": True,
        "Bash mv sub elsewhere": True,
        "Bash echo 1 > @ws/../n": True,
        "Bash unshare -Ur true": True,
        "Bash python3 -c 'import socket; socket.socket(socket.AF_UNIX)'": True,
        # The sandbox binds Bash alone.
        "Read @ws/secret/k": False,
    }
    session = sandbox.run(sandboxed(filesystem=filesystem), list(lines), skip_permissions=True)
    assert {line: v.failed for line, v in zip(lines, session.verdicts, strict=True)} == lines
    assert {v.kind for v in session.verdicts} == {"ran"}


def test_sandbox_network_and_environment(sandbox):
    network = {"allowedDomains": ["ok.test"], "allowManagedDomainsOnly": True}
    secrets = {"envVars": [{"name": "SECRET_OF_OURS", "mode": "deny"}]}
    fetch = "import urllib.request as u; print(u.urlopen('{}', timeout=5).status)"
    lines = [f'Bash python3 -c "{fetch.format(url)}"' for url in ("http://evil.test/", "http://ok.test/")]
    lines += [
        f"Bash python3 -c \"import socket; socket.create_connection(('127.0.0.1', {PORT}), 2)\"",
        "Bash env",
    ]
    settings = sandboxed(network=network, credentials=secrets)
    session = sandbox.run(settings, lines, skip_permissions=True, env={"SECRET_OF_OURS": "s3cret"})
    blocked, passed, local, env = (v.text for v in session.verdicts)
    assert "deny network-outbound evil.test:80" in blocked
    assert "Bad Gateway" in passed
    assert "refused" in local
    assert "s3cret" not in env
    assert (
        "s3cret"
        in sandbox.run({}, ["Bash env"], skip_permissions=True, env={"SECRET_OF_OURS": "s3cret"})
        .verdicts[0]
        .text
    )


def test_sandbox_that_cannot_start(claude):
    session = claude.run(sandboxed(bwrapPath="/no/such/bwrap"), ["Bash ls"], skip_permissions=True)
    assert (session.done.rc, session.verdicts[0].kind) == (1, "error")
    assert "Refusing to start without a working sandbox" in session.done.stderr


def test_the_users_settings_widen_what_the_sandbox_writes(sandbox):
    (sandbox.home / ".claude").mkdir()
    widened = {
        "sandbox": {
            "enabled": False,
            "filesystem": {"allowWrite": [str(sandbox.outside)], "allowRead": ["/"]},
        }
    }
    (sandbox.home / ".claude/settings.json").write_text(json.dumps(widened))
    settings = sandboxed(filesystem={"denyRead": ["@ws/secret"]})
    session = sandbox.run(settings, ["Bash echo 1 > @out/n", "Bash cat secret/k"], skip_permissions=True)
    assert [v.failed for v in session.verdicts] == [False, True]


def bubblewrap(claude, socket, *options):
    """The smallest root in which the program starts, with a bridge to the model's socket."""
    world = [
        "bwrap", "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-net", "--die-with-parent", "--new-session",
        "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
        "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", MANAGED, MANAGED, "--ro-bind", str(claude.binary), "/opt/claude",
        "--bind", str(claude.workspace), str(claude.workspace), "--ro-bind", str(socket), "/run/model.sock", "--chdir", str(claude.workspace),
        "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL", "--disable-userns", *options,
    ]  # fmt: skip
    bridge = f"socat TCP-LISTEN:{PORT},bind=127.0.0.1,fork,reuseaddr UNIX-CONNECT:/run/model.sock & sleep 0.2"
    return [*world, "--", "sh", "-c", f'{bridge}; exec "$@"', "sh"]


@pytest.mark.parametrize(
    ("options", "rc"),
    [
        ([], 0),
        (["--setenv", "TMPDIR", "/var/t", "--tmpfs", "/var/t", "--remount-ro", "/tmp"], 0),
        (["--remount-ro", "/tmp"], 1),
    ],
)
def test_inside_bubblewrap(sandbox, options, rc):
    via = Via(GATEWAY, sandbox.root / "model.sock")
    prefix = bubblewrap(sandbox, via.unix_socket, *options)
    sandbox.binary = Path("/opt/claude")
    lines = ["Bash touch t", "Bash cat a", "Bash cat @out/o", "Bash ls /etc"]
    settings = {"permissions": {"deny": ["Bash(touch:*)"]}}
    session = sandbox.run(settings, lines, prefix_argv=prefix, via=via, skip_permissions=True)
    assert session.done.rc == rc, session.done.stderr
    if rc == 0:
        assert [(v.kind, v.failed) for v in session.verdicts] == [
            ("denied", True),
            ("ran", False),
            ("ran", True),
            ("ran", False),
        ]
        assert session.verdicts[3].text == "claude-code"


def test_its_own_sandbox_does_not_work_inside_bubblewrap(sandbox):
    via = Via(GATEWAY, sandbox.root / "model.sock")
    prefix = bubblewrap(sandbox, via.unix_socket)
    sandbox.binary = Path("/opt/claude")
    session = sandbox.run(sandboxed(), ["Bash echo hi"], prefix_argv=prefix, via=via, skip_permissions=True)
    assert (session.done.rc, session.verdicts[0].failed) == (0, True)
    assert "Creating new namespace failed" in session.verdicts[0].text
