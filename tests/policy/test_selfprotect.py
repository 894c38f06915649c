"""Self-protection: every file that lets a policy out of its sandbox, under policies written to keep it open."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tappass_host.policy.actions import File
from tappass_host.policy.decide import decide
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Filesystem, Network, Policy
from tappass_host.policy.selfprotect import protect
from tappass_host.policy.validate import check_grammar, check_meaning

HOME = "/home/u"
HEAD = {
    "version": 1,
    "issued_at": "2026-01-01T00:00:00Z",
    "not_before": "2026-01-01T00:00:00Z",
    "expires_at": "2027-01-01T00:00:00Z",
    "org_id": "acme",
}


def policy(filesystem=None, network=None) -> Policy:
    return Policy(**HEAD, filesystem=filesystem, network=network)


def protected(doc: Policy, **more) -> EffectivePolicy:
    args = {"config_paths": (), "state_paths": (), "home": HOME, **more}
    return EffectivePolicy(protect(doc, **args))


def verdict(effective: EffectivePolicy, op: str, path: str) -> Effect:
    return decide(effective, File(op=op, path=path)).effect


WS = {"default": "deny", "workspace": "/ws"}
WRITES = [
    ("hooks of the workspace", WS, "/ws/.git/hooks/pre-commit"),
    ("config of a nested repository", WS, "/ws/a/b/.git/config"),
    ("config of a submodule", WS, "/ws/.git/modules/x/y/config"),
    ("a glob in the table", WS, "/ws/.claude/settings.local.json"),
    ("direnv", WS, "/ws/.envrc"),
    ("MCP servers of a project", WS, "/ws/sub/.mcp.json"),
    ("granted by name", {**WS, "read_write": ("/ws/.git/config",)}, "/ws/.git/config"),
    ("granted by its folder", {**WS, "read_write": ("/ws/.git",)}, "/ws/.git/config"),
    ("granted below it", {**WS, "read_write": ("/ws/.git/hooks/post",)}, "/ws/.git/hooks/post/x"),
    ("granted by a star", {**WS, "read_write": ("/ws/.git/h*",)}, "/ws/.git/hooks/x"),
    ("granted by a relative star", {**WS, "read_write": ("**/hooks",)}, "/ws/.git/hooks/x"),
    (
        "granted inside a submodule",
        {**WS, "read_write": ("/ws/.git/modules/x",)},
        "/ws/.git/modules/x/config",
    ),
    ("star with a closed anchor", {"default": "deny", "read_write": ("/srv/*/src",)}, "/srv/a/src/.envrc"),
    ("rc file in a writable home", {"default": "deny", "workspace": HOME}, HOME + "/.bashrc"),
    ("rc file granted by name", {"default": "deny", "read_write": (HOME + "/.zshrc",)}, HOME + "/.zshrc"),
    ("below an editor's folder", {"default": "deny", "read_write": (HOME + "/.vim/x",)}, HOME + "/.vim/x/y"),
    ("everything is open", {"default": "allow"}, "/anywhere/.git/hooks/x"),
    ("everything is open, and a grant", {"default": "allow", "read_write": ("/ws",)}, "/ws/a/.git/hooks/x"),
    ("everything is open, rc file", {"default": "allow"}, HOME + "/.profile"),
    ("root is granted", {"default": "deny", "read_write": ("/",)}, "/x/.vscode/tasks.json"),
]


@pytest.mark.parametrize(("name", "fs", "path"), WRITES, ids=[c[0] for c in WRITES])
def test_no_policy_keeps_a_trampoline_writable(name, fs, path):
    doc = policy(Filesystem(**fs))
    assert verdict(EffectivePolicy(doc), "write", path) is Effect.ALLOW, "the attack must work without us"
    assert verdict(protected(doc), "write", path) is Effect.DENY


def test_an_unmanaged_filesystem_is_protected_too():
    effective = protected(policy())
    assert verdict(effective, "write", "/ws/.git/hooks/x") is Effect.DENY
    assert verdict(effective, "write", HOME + "/.bashrc") is Effect.DENY
    assert effective.doc.provenance["filesystem.default[allow]"].level == "runtime"


def test_what_must_stay_readable_stays_readable():
    effective = protected(policy(Filesystem(**WS)))
    assert verdict(effective, "read", "/ws/.git/config") is Effect.ALLOW
    assert verdict(effective, "write", "/ws/.git/index") is Effect.ALLOW
    assert verdict(effective, "write", "/ws/src/main.py") is Effect.ALLOW


def test_config_files_are_pinned_but_the_state_folder_beside_them_is_not():
    doc = policy(Filesystem(default="deny", read_write=(HOME + "/.claude",)))
    effective = protected(
        doc, config_paths=(HOME + "/.claude/settings.json", "/etc/claude-code/managed.json")
    )
    assert verdict(effective, "write", HOME + "/.claude/settings.json") is Effect.DENY
    assert verdict(effective, "read", HOME + "/.claude/settings.json") is Effect.ALLOW
    assert verdict(effective, "write", HOME + "/.claude/todo/1.json") is Effect.ALLOW
    # Not writable before, so an entry would only have made it readable.
    assert "/etc/claude-code/managed.json" not in effective.doc.filesystem.read_only


def test_state_is_denied_whatever_is_granted():
    doc = policy(Filesystem(default="allow", read_write=("/var/lib/tappass",)))
    effective = protected(doc, state_paths=("/var/lib/tappass",))
    assert verdict(effective, "read", "/var/lib/tappass/keys/1") is Effect.DENY


SOCKETS = [
    ("nothing listed", (), "/run/docker.sock", Effect.DENY),
    ("a word opens its own family", ("docker",), "/run/docker.sock", Effect.ALLOW),
    ("a word opens no other", ("docker",), "/run/user/1000/bus", Effect.DENY),
    ("a path opens what covers it", ("/run/user/1000/bus",), "/run/user/1000/bus", Effect.ALLOW),
    ("pattern", (), "/tmp/ssh-abc/agent.1", Effect.DENY),
    ("below home", (), HOME + "/.ssh/agent/s.1", Effect.DENY),
]


@pytest.mark.parametrize(("name", "listed", "path", "effect"), SOCKETS, ids=[c[0] for c in SOCKETS])
def test_sockets_of_the_host(name, listed, path, effect):
    doc = policy(Filesystem(default="allow"), Network(allow_unix=listed))
    assert verdict(protected(doc), "read", path) is effect


def test_words_become_paths_of_this_host():
    doc = policy(network=Network(allow_unix=("/run/x.sock", "ssh-agent")))
    check_grammar(doc)
    network = protected(doc, sockets={"ssh-agent": ("/tmp/ssh-1/agent.9",)}).doc.network
    assert network.allow_unix == ("/run/x.sock", "/tmp/ssh-1/agent.9")


def test_every_entry_says_who_and_why_and_the_policy_is_still_valid():
    doc = protect(
        policy(Filesystem(default="allow", read_write=("/ws",)), Network()),
        config_paths=("/etc/x",),
        state_paths=("/s",),
        home=HOME,
    )
    check_grammar(doc)
    check_meaning(doc)
    before = {
        s.id
        for s in EffectivePolicy(
            policy(Filesystem(default="allow", read_write=("/ws",)), Network())
        ).statements
    }
    added = [s for s in EffectivePolicy(doc).statements if s.id not in before]
    assert len(added) > 80
    assert all(doc.provenance[s.id].level == "runtime" and doc.annotations[s.id].reason for s in added)
    assert {s.polarity for s in added} == {"restrict"}


def test_entries_of_the_policy_keep_their_own_provenance():
    doc = policy(Filesystem(default="deny", workspace="/ws", read_only=("**/.envrc",)))
    assert "filesystem.read_only[**/.envrc]" not in protect(doc, config_paths=(), state_paths=()).provenance


NAMES = st.sampled_from(["ws", ".git", "hooks", "config", "modules", "a", ".claude", "*", "s*"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/" + "/".join(names))
PLAIN = st.lists(
    st.sampled_from(["ws", ".git", "hooks", "config", "modules", "a", "settings.json", ".claude"]),
    min_size=1,
    max_size=6,
)


@given(
    default=st.sampled_from(["deny", "read_only", "allow"]),
    write=st.lists(PATHS, max_size=3),
    read=st.lists(PATHS, max_size=2),
    deny=st.lists(PATHS, max_size=1),
    names=PLAIN,
)
def test_it_holds_never_widens_and_is_idempotent(default, write, read, deny, names):
    doc = policy(
        Filesystem(default=default, read_write=tuple(write), read_only=tuple(read), deny_paths=tuple(deny))
    )
    path = "/" + "/".join(names)
    effective = protected(doc, config_paths=("/ws/a",), state_paths=("/a/config",))
    for op in ("read", "write"):
        before, after = verdict(EffectivePolicy(doc), op, path), verdict(effective, op, path)
        assert after.strictness >= before.strictness
    if any(pair in (".git/config", ".git/hooks") for pair in map("/".join, pairwise(names))):
        assert verdict(effective, "write", path) is Effect.DENY
    again = protect(effective.doc, config_paths=("/ws/a",), state_paths=("/a/config",), home=HOME)
    assert again == effective.doc
