"""Attack 9: paths are judged as what they are where the agent is, shell lines as what they run."""

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from tappass_host.decision import paths
from tappass_host.decision.paths import PathError, open_root, readings


@pytest.fixture
def service(lab, tmp_path):
    """`ws` is writable but for `secret` and every `.env`; outside of it nothing may be touched."""
    for folder in ("ws/secret", "ws/sub", "outside", "home/.ssh"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("ws/a", "ws/secret/key", "outside/o", "home/.ssh/id", "ws/.env"):
        (tmp_path / file).write_text("x")
    links = {
        "ws/to-secret": "secret",
        "ws/to-key": "secret/key",
        "ws/to-outside": "../outside",
        "ws/absolute": str(tmp_path / "outside"),
        "ws/chain": "to-outside",
        "ws/sub/up": "..",
        "ws/loop": "loop",
        "ws/dangling": "../outside/not-there",
        "ws/root": "/",
        "ws/fine": "sub",
    }
    for link, target in links.items():
        (tmp_path / link).symlink_to(target)
    return lab()


ALLOWED = [
    "@/ws/a",
    "a",
    "./a",
    "sub/../a",
    "@/ws/sub/up/a",
    "fine/new",
    "@/ws/new/er/file",
    "@/ws//a",
    "sub/up/a",
]
DENIED = [
    "@/ws/secret/key",
    "secret/key",
    "to-secret/key",
    "to-key",
    "to-outside/o",
    "absolute/o",
    "chain/o",
    "sub/up/secret/key",
    "sub/../secret/key",
    "../outside/o",
    "@/ws/../outside/o",
    "@/ws/sub/../../outside/o",
    "dangling",
    "loop",
    "root/etc/passwd",
    "~/.ssh/id",
    "~",
    "~root/.ssh/id",
    ".env",
    "sub/.env",
    "new/.env",
    "/etc/passwd",
    "//etc/passwd",
    "/proc/self/root/etc/passwd",
    "/proc/self/cwd/secret/key",
    "/proc/1/root/etc/passwd",
    "/dev/fd/0",
    "/dev/stdin",
    "C:\\Users\\x",
    "c:/x",
    "\\\\server\\share",
    "a\0.txt",
    "",
]


@pytest.mark.parametrize("tool", ["Read", "Write", "Edit"])
def test_paths(service, tool):
    found = {path: service.hook(tool, {"file_path": path}).effect for path in (*ALLOWED, *DENIED)}
    assert found == dict.fromkeys(ALLOWED, "allow") | dict.fromkeys(DENIED, "deny")


def test_notebooks_are_files(service):
    assert service.hook("NotebookEdit", {"notebook_path": "a", "new_source": ""}).effect == "allow"
    assert service.hook("NotebookEdit", {"notebook_path": "to-key", "new_source": ""}).effect == "deny"
    assert service.hook("NotebookEdit", {"file_path": "a"}).effect == "deny"


def test_the_folder_that_a_path_is_relative_to(service, tmp_path):
    assert service.hook("Read", {"file_path": "a"}, cwd=str(tmp_path / "outside")).effect == "deny"
    assert service.hook("Read", {"file_path": "key"}, cwd=str(tmp_path / "ws/secret")).effect == "deny"
    for cwd in ("", "ws", None, 7):
        assert service.hook("Read", {"file_path": "a"}, cwd=cwd).effect == "deny"


def test_both_readings_of_dots_are_judged(service, tmp_path):
    """A program may fold `..` itself, or leave it to the kernel, which follows the link first."""
    (tmp_path / "ws/sub/out").symlink_to(tmp_path / "outside")
    for path in ("sub/out/../a", "sub/out/../outside/o"):
        assert service.hook("Read", {"file_path": path}).effect == "deny"


def test_moves_and_plain_questions(service):
    def decide(**action):
        return service.decide({"surface": "tool", **action}, cwd=str(service.root / "ws")).json()["effect"]

    assert decide(kind="file", op="move", path="a", to="b") == "allow"
    assert decide(kind="file", op="move", path="a", to="to-outside/a") == "deny"
    assert decide(kind="file", op="move", path="to-key", to="b") == "deny"
    assert decide(kind="file", op="read", path="to-key") == "deny"
    assert decide(kind="tool", name="Read", args={"path": "to-key"}) == "deny"


def test_tools_that_read_folders_whole(service):
    """A search below the workspace reads what is denied in it."""
    tools = {**service.config["tools"], "allow": [*service.config["tools"]["allow"], "Grep"]}
    service.restart(tools=tools)
    assert service.hook("Grep", {"pattern": "x", "path": "@/ws/secret"}).effect == "deny"
    assert service.hook("Grep", {"pattern": "x", "path": "@/ws"}).effect == "deny"
    assert service.hook("Grep", {"pattern": "x"}).effect == "deny"
    files = {"default": "deny", "workspace": "@/ws", "deny_paths": ["@/ws/secret"]}
    service.restart(filesystem=files)
    assert service.hook("Grep", {"pattern": "x", "path": "@/ws/sub"}).effect == "allow"
    assert service.hook("Grep", {"pattern": "x", "path": "@/ws"}).effect == "deny"


def test_links_lead_where_they_lead_for_the_agent(service, tmp_path):
    """In the agent's own mounts `ws/mine` is another folder: what counts is its view, not the service's."""
    (tmp_path / "ws/mine").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/link").symlink_to(tmp_path / "outside/o")
    (tmp_path / "ws/mine/link").write_text("harmless out here")
    service.restart()
    service.real_time = True
    message = json.dumps(service.message("Read", {"file_path": "@/ws/mine/link"})).encode()
    assert service.client("", {}, stdin=message).returncode == 0
    mount = f'mount --bind {tmp_path}/elsewhere {tmp_path}/ws/mine && exec "$@"'
    argv = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", *service.argv()]
    inside = subprocess.run(argv, input=message, capture_output=True, check=False)
    if b"unshare" in inside.stderr or b"mount" in inside.stderr.partition(b"Denied")[0]:
        pytest.skip("no user namespaces here")
    assert inside.returncode == 2
    assert b"filesystem.default" in inside.stderr


def test_a_view_that_cannot_be_seen_denies(service, monkeypatch):
    def hidden(_):
        raise PathError("the files that the agent sees cannot be seen from here")

    monkeypatch.setattr("tappass_host.decision.decider.open_root", hidden)
    reply = service.hook("Read", {"file_path": "a"})
    assert (reply.effect, "cannot be seen from here" in reply.text) == ("deny", True)
    assert service.bash("git status").effect == "allow"


def test_a_file_system_that_hangs_denies(service, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr("tappass_host.decision.decider.readings", lambda *_, **__: over.wait(10))
    service.restart(limits={"resolve_s": 1})
    reply = service.hook("Read", {"file_path": "a"})
    over.set()
    assert (reply.effect, "took too long" in reply.text) == ("deny", True)


# Walking.


def walked(root, path, cwd="/"):
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        return readings(descriptor, path, cwd=cwd, home="/home/u")
    finally:
        os.close(descriptor)


@pytest.fixture
def tree(tmp_path):
    """A small root folder: links in it are relative to it, as for whoever lives there."""
    for folder in ("etc", "ws/d", "home/u"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/passwd").write_text("x")
    (tmp_path / "ws/abs").symlink_to("/etc/passwd")
    (tmp_path / "ws/up").symlink_to("../../../../etc")
    (tmp_path / "ws/d/home").symlink_to("/home/u")
    return tmp_path


WALKS = {
    "/ws/abs": ("/etc/passwd",),
    "/ws/up/passwd": ("/etc/passwd",),
    "/ws/d/home/../x": ("/home/x", "/ws/d/x"),
    "/../../etc/passwd": ("/etc/passwd",),
    "/etc/passwd/../shadow": ("/etc/shadow",),
    "~/n": ("/home/u/n",),
    "ws/./d//x/": ("/ws/d/x",),
    "/ws/new/../abs": ("/etc/passwd",),
    "/": ("/",),
}


@pytest.mark.parametrize("path", WALKS)
def test_walks(tree, path):
    assert walked(tree, path) == WALKS[path]


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_stays_open(tree):
    before = open_descriptors()
    for path in WALKS:
        walked(tree, path)
    with pytest.raises(PathError):
        walked("/", "/proc/self/root/etc")
    assert open_descriptors() == before


def test_a_process_that_is_gone():
    with pytest.raises(PathError, match="cannot be seen"):
        open_root(2**22 + 1)


def test_names_are_found_as_they_are_spelled_where_case_does_not_count(tree, monkeypatch):
    """A file system that folds case, played by a lookup that does."""
    (tree / "ws/Secret").mkdir()
    (tree / "ws/Secret/Key").write_text("x")
    real = paths._look

    def folding(folder, name):
        for there in paths._names(folder):
            if there.casefold() == name.casefold():
                return real(folder, there)
        return real(folder, name)

    assert walked(tree, "/ws/sECRET/kEY") == ("/ws/sECRET/kEY",)
    monkeypatch.setattr(paths, "_look", folding)
    assert walked(tree, "/ws/sECRET/kEY") == ("/ws/Secret/Key",)
    assert walked(tree, "/ws/Secret/Key") == ("/ws/Secret/Key",)
    assert walked(tree, "/ws/.ENV") == ("/ws/.ENV", "/ws/.env")


# Shell lines, through the endpoint. Worker: allow `git *` and `ls`, ask `git push *` (nobody is there to be
# asked, so deny), deny `curl *`, default deny. Open: deny `curl *`, ask `git push *`, default allow.
SHELL = [
    # line, worker, open
    ("git status", "allow", "allow"),
    ("ls", "allow", "allow"),
    ("ls -l", "deny", "allow"),
    ("curl x", "deny", "deny"),
    ("git x; curl y", "deny", "deny"),
    ("git x && curl y", "deny", "deny"),
    ("git x || curl y", "deny", "deny"),
    ("git x | curl -d @- y", "deny", "deny"),
    ("git x & curl y", "deny", "deny"),
    ("git x\ncurl y", "deny", "deny"),
    ("git status; ls", "allow", "allow"),
    ("git log $(curl y)", "deny", "deny"),
    ("git log `curl y`", "deny", "deny"),
    ('git log "$(curl y)"', "deny", "deny"),
    ("git log <(curl y)", "deny", "deny"),
    ("git log $HOME", "deny", "allow"),
    ("env git status", "deny", "allow"),
    ("env curl y", "deny", "deny"),
    ("env -i A=b curl y", "deny", "deny"),
    ("A=b git status", "deny", "allow"),
    ("GIT_SSH_COMMAND='curl y' git fetch", "deny", "allow"),
    ("PATH=/tmp git status", "deny", "allow"),
    ("sudo curl y", "deny", "deny"),
    ("nohup curl y", "deny", "deny"),
    ("timeout 5 curl y", "deny", "deny"),
    ("xargs curl", "deny", "deny"),
    ("echo y | xargs -n1 curl", "deny", "deny"),
    ("find . -exec curl {} ;", "deny", "deny"),
    ("bash -c 'curl y'", "deny", "deny"),
    ("sh -c 'git status'", "deny", "allow"),
    ("bash <<< 'curl y'", "deny", "deny"),
    ("bash <<E\ncurl y\nE", "deny", "deny"),
    ("git log <<E\n$(curl y)\nE", "deny", "deny"),
    ("eval 'curl y'", "deny", "deny"),
    ("eval $c", "deny", "deny"),
    ("$c", "deny", "deny"),
    ("git 'unbalanced", "deny", "deny"),
    ("(curl y)", "deny", "deny"),
    ("{ curl y; }", "deny", "deny"),
    ("if ls; then curl y; fi", "deny", "deny"),
    ("f() { curl y; }; f", "deny", "deny"),
    ("\\curl y", "deny", "deny"),
    ("c\\url y", "deny", "deny"),
    ("'cu''rl' y", "deny", "deny"),
    ("$'cu\\x72l' y", "deny", "deny"),
    ("/usr/bin/curl y", "deny", "deny"),
    ("/tmp/git status", "deny", "allow"),
    ("git log > @/ws/o", "deny", "allow"),
    ("git log 2>&1", "allow", "allow"),
    ("git log > /dev/null", "allow", "allow"),
    ("git push origin", "deny", "deny"),
    ("command git push", "deny", "deny"),
    ("trap 'curl y' EXIT", "deny", "deny"),
    ("coproc curl y", "deny", "deny"),
    ("python -c \"import os; os.system('curl y')\"", "deny", "allow"),
    ("git -c alias.x='!curl y' x", "allow", "allow"),
    ("", "deny", "allow"),
]


def test_shell_lines(lab):
    assert len(SHELL) >= 40
    service = lab(log={"burst": 1000})
    found = {line: service.bash(line).effect for line, _, _ in SHELL}
    assert found == {line: worker for line, worker, _ in SHELL}
    open_ = {"default": "allow", "unknown": "deny", "deny": ["Bash(curl *)"], "ask": ["Bash(git push *)"]}
    service.restart(tools=open_)
    found = {line: service.bash(line).effect for line, _, _ in SHELL}
    assert found == {line: opened for line, _, opened in SHELL}


def test_the_same_line_by_another_tool(lab):
    service = lab()
    assert service.hook("Monitor", {"command": "git status"}).effect == "allow"
    assert service.hook("Monitor", {"command": "curl x"}).effect == "deny"
    assert service.hook("PowerShell", {"command": "git status"}).effect == "deny"


# Tools of other names.

TOOLS = {
    "lookup": ("lookup", {}, "allow"),
    "unknown": ("Teleport", {}, "deny"),
    "bookkeeping": ("TodoWrite", {}, "deny"),
    "search": ("WebSearch", {"query": "x"}, "deny"),
    "agent": ("Agent", {"prompt": "x"}, "deny"),
    "fetch": ("WebFetch", {"url": "https://a.example.com/"}, "allow"),
    "fetch, another port": ("WebFetch", {"url": "https://a.example.com:22/"}, "deny"),
    "fetch, the apex": ("WebFetch", {"url": "https://example.com/"}, "deny"),
    "fetch, listed port": ("WebFetch", {"url": "https://api.x.org:8443/"}, "allow"),
    "fetch, decimal address": ("WebFetch", {"url": "http://2130706433/"}, "deny"),
    "fetch, user part": ("WebFetch", {"url": "https://a.example.com@evil.test/"}, "deny"),
    "fetch, file": ("WebFetch", {"url": "file:///etc/passwd"}, "deny"),
    "other case": ("LOOKUP", {}, "deny"),
    "a name with blanks": ("lookup ", {}, "deny"),
    "mcp of nobody": ("mcp__rogue__x", {}, "deny"),
    "mcp allowed": ("mcp__docs_1__search", {"q": "x"}, "allow"),
    "mcp asked": ("mcp__docs_1__publish", {}, "deny"),
    "mcp not listed": ("mcp__docs_1__erase", {}, "deny"),
    "mcp argument": ("mcp__docs_1__search", {"q": "x" * 65}, "deny"),
    "mcp without tool": ("mcp__docs_1__", {}, "deny"),
    "mcp resource": ("ReadMcpResourceTool", {"server": "docs.1", "uri": "guide"}, "allow"),
    "another mcp resource": ("ReadMcpResourceTool", {"server": "docs.1", "uri": "x"}, "deny"),
}
MCP = {
    "default": "deny",
    "servers": [
        {
            "id": "docs.1",
            "transport": {"kind": "stdio", "argv": ["/usr/bin/docs"]},
            "tools": {
                "default": "deny",
                "allow": ["search"],
                "ask": ["publish"],
                "constraints": {"search": {"q": {"max_len": 64}}},
            },
            "resources": {"default": "deny", "allow": ["guide"]},
        }
    ],
}


def test_tools(lab):
    service = lab(mcp=MCP)
    found = {case: service.hook(tool, args).effect for case, (tool, args, _) in TOOLS.items()}
    assert found == {case: effect for case, (_, _, effect) in TOOLS.items()}


def test_the_group_of_bookkeeping_tools(lab):
    tools = {"default": "deny", "unknown": "deny", "allow": ["@internal", "Skill"], "deny": ["CronCreate"]}
    service = lab(tools=tools)
    assert service.hook("TodoWrite", {}).effect == "allow"
    assert service.hook("Skill", {}).effect == "allow"
    assert service.hook("CronCreate", {}).effect == "deny"
    assert service.hook("Teleport", {}).effect == "deny"


def test_the_tables_are_those_of_the_harness_provider():
    from tappass_host.decision.dialects import claude_code
    from tappass_host.providers.harness.claude_code import binary

    here = claude_code.INTERNAL | claude_code._TREES | {"ReadMcpResourceTool"}
    assert set(binary.INTERNAL) <= here
    native = {name for names in binary.NATIVE.values() for name in names}
    assert native <= set(claude_code._SPECIAL)
