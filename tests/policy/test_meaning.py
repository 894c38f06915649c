"""The hard cases of what a policy means, each a row: the reference every target is tested against."""

import pytest

from tappass_host.policy import actions as a
from tappass_host.policy.decide import decide
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Filesystem, Network, Policy, Tools

HEAD = {
    "version": 1,
    "issued_at": "2026-01-01T00:00:00Z",
    "not_before": "2026-01-01T00:00:00Z",
    "expires_at": "2027-01-01T00:00:00Z",
    "org_id": "acme",
}
TOOLS = Tools(
    allow=("Bash(git *)", "Bash(ls)", "Read", "WebFetch", "Write"),
    ask=("Bash(git push *)",),
    deny=("Bash(curl *)",),
)
FILES = Filesystem(
    workspace="/ws",
    read_only=("/usr", "/ws/both", "/ws/vendor"),
    read_write=("/ws/both", "/ws/secret/tmp", "/ws/vendor/tmp"),
    deny_paths=("/ws/**/.env", "/ws/secret"),
)
NET = Network(allow_domains=("*.example.com", "api.x.org:8443"))


def policy(**parts):
    return EffectivePolicy(Policy(**{**HEAD, "tools": TOOLS, "filesystem": FILES, "network": NET, **parts}))


def bash(command):
    return a.Tool(name="Bash", args={"command": command})


def tool(name, **args):
    return a.Tool(name=name, args=args)


def file(op, path, to=""):
    return a.File(op=op, path=path, to=to)


ROWS = {
    "longest literal prefix wins": (file("write", "/ws/vendor/tmp/x"), "allow"),
    "read-only beside it holds": (file("write", "/ws/vendor/x"), "deny"),
    "a tie is read-only": (file("write", "/ws/both/x"), "deny"),
    "a tie may be read": (file("read", "/ws/both/x"), "allow"),
    "deny beats a longer grant": (file("read", "/ws/secret/tmp"), "deny"),
    "move inside the anchor": (file("move", "/ws/a", "/ws/b"), "allow"),
    "move a parent of a denied path": (file("move", "/ws", "/ws2"), "deny"),
    "move onto a denied name": (file("move", "/ws/new", "/ws/a/.env"), "deny"),
    "move out of a read-only folder's parent": (file("move", "/ws/vendor", "/ws/v"), "deny"),
    "read outside every grant": (file("read", "/etc/passwd"), "deny"),
    "apex is not a subdomain": (a.Connect(host="example.com", port=443), "deny"),
    "any depth is": (a.Connect(host="a.b.example.com", port=443), "allow"),
    "a portless allow is 443 and 80": (a.Connect(host="a.example.com", port=22), "deny"),
    "only the port granted": (tool("WebFetch", url="https://api.x.org/"), "deny"),
    "the port granted": (tool("WebFetch", url="https://api.x.org:8443/"), "allow"),
    "udp is denied": (a.Connect(host="a.example.com", port=443, protocol="udp"), "deny"),
    "not a URL": (tool("WebFetch", url="file:///etc/passwd"), "deny"),
    "program as written": (bash("/tmp/git status"), "deny"),
    "wrapper never matches allow": (bash("env git status"), "deny"),
    "assignment never matches allow": (bash("GIT_SSH_COMMAND=x git fetch"), "deny"),
    "redirection to a file": (bash("git log > /ws/o"), "deny"),
    "harmless redirection": (bash("git log 2>&1"), "allow"),
    "each command by some rule": (bash("git status; ls"), "allow"),
    "exact argv": (bash("ls -l"), "deny"),
    "a prefix cannot read options": (bash("git -c alias.x='!curl y' x"), "allow"),
    "seen through bash -c": (bash("bash -c 'curl x'"), "deny"),
    "seen through a subshell": (bash("(curl x)"), "deny"),
    "seen through a here-document": (bash("git log <<E\n$(curl x)\nE"), "deny"),
    "ask": (bash("git push origin"), "ask"),
    "tools and filesystem": (tool("Read", path="/etc/passwd"), "deny"),
    "read in the workspace": (tool("Read", path="/ws/a"), "allow"),
    "unknown tool": (tool("Nuke"), "deny"),
    "mcp while absent": (a.McpCall(server="s", tool="t"), "unmanaged"),
}


@pytest.mark.parametrize("case", ROWS)
def test_row(case):
    action, verdict = ROWS[case]
    assert decide(policy(), action).effect == verdict


def test_a_glob_that_leaves_its_anchor_is_denied_and_a_relative_one_holds_in_both_roots():
    move = file("move", "/ws/a", "/tmp/a")
    both = Filesystem(workspace="/ws", read_write=("/tmp",), deny_paths=("/ws/**/.env",))
    assert decide(policy(filesystem=both), move).effect == "deny"
    relative = Filesystem(workspace="/ws", read_write=("/tmp",), deny_paths=("**/.env",))
    assert decide(policy(filesystem=relative), move).effect == "allow"
    assert decide(policy(filesystem=relative), file("read", "/tmp/a/.env")).effect == "deny"


def test_a_portless_deny_is_every_port():
    net = Network(allow_domains=("*.example.com:8443",), deny_domains=("bad.example.com",))
    verdict = decide(policy(network=net), a.Connect(host="bad.example.com", port=8443))
    assert (verdict.effect, verdict.statement) == ("deny", "network.deny_domains[bad.example.com]")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "localhost"])
def test_local_addresses_in_any_spelling_are_denied_under_default_allow(host):
    net = Network(default="allow")
    assert decide(policy(network=net), tool("WebFetch", url=f"http://{host}/")).effect == "deny"
    assert decide(policy(network=net), tool("WebFetch", url="http://example.org/")).effect == "allow"


def test_an_opaque_line_takes_the_strictest_effect_a_rule_could_give():
    tools = Tools(default="allow", unknown="deny", deny=("Bash(curl *)",))
    for line in ("$c", "echo 'x"):
        assert decide(policy(tools=tools), bash(line)).effect == "deny"
    assert decide(policy(tools=tools), bash("python -c \"os.system('curl')\"")).effect == "allow"


def test_ask_by_default_asks_inside_the_grants_and_denies_outside():
    tools = Tools(default="ask")
    assert decide(policy(tools=tools), tool("Write", path="/ws/x")).effect == "ask"
    assert decide(policy(tools=tools), tool("Write", path="/etc/x")).effect == "deny"


def test_unknown_tools_are_not_what_default_is_about():
    tools = Tools(default="allow", unknown="deny")
    assert decide(policy(tools=tools), tool("Nuke")).effect == "deny"
    assert decide(policy(tools=tools), tool("Task")).effect == "allow"


def test_an_allow_needs_every_aspect_it_touches_to_be_managed():
    assert decide(policy(filesystem=None), tool("Read", path="/x")).effect == "unmanaged"
    assert decide(policy(tools=None, filesystem=FILES), tool("Read", path="/etc/x")).effect == "deny"


def test_on_a_tie_deny_comes_before_default_and_tools_before_filesystem():
    verdict = decide(policy(), tool("Read", path="/ws/.env"))
    assert verdict.statement == "filesystem.deny_paths[/ws/**/.env]"
    both = decide(policy(tools=Tools(deny=("Read",))), tool("Read", path="/ws/.env"))
    assert both.statement == "tools.deny[Read]"
