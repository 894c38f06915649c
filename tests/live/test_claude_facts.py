"""What the claude-code provider relies on, held against the real program.

Each table row is a policy, then lines and what must become of them. The same lines run without a
policy in `test_control`, so that no denial here is one that would have come anyway.
"""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

DATA = json.loads((Path(__file__).parent / "data/claude_code_2.1.330.json").read_text())
RULE, REMOVED, MODE, RAN = "denied rule", "denied removed", "denied mode", "ran"
SUB = "denied subcommandResults"
CLOSED = {
    "allowManagedPermissionRulesOnly": True,
    "allowManagedHooksOnly": True,
    "permissions": {
        "defaultMode": "dontAsk",
        "denyInsteadOfPrompting": True,
        "disableAutoMode": "disable",
        "disableBypassPermissionsMode": "disable",
    },
}


def closed(**permissions):
    """Deny by default as far as the target can."""
    return CLOSED | {"permissions": CLOSED["permissions"] | permissions}


def deny(*rules):
    return {"permissions": {"deny": list(rules)}}


PATHS = {
    "absolute paths take two slashes": (
        deny("Read(//@ws/secret/**)"),
        {
            "Read @ws/secret/k": RULE,
            "Read @ws/a": RAN,
            "Bash cat secret/k": SUB,
            "Bash ls secret": SUB,
            "Bash cp -r secret q": SUB,
            "Write @ws/secret/n": RULE,
            "Bash python3 -c \"open('secret/k').read()\"": RAN,
            "Bash grep -r TOP .": RAN,
        },
    ),
    "one slash is no absolute path": (deny("Read(@ws/secret/**)"), {"Read @ws/secret/k": RAN}),
    "a folder covers what is below": (deny("Read(//@ws/secret)"), {"Read @ws/secret/k": RULE}),
    "relative globs": (deny("Read(**/secret/**)"), {"Read @ws/secret/k": RULE, "Bash cat secret/k": SUB}),
    "Write(path) does nothing": (
        deny("Write(//@ws/sub/**)"),
        {"Write @ws/sub/x": RAN, "Bash touch sub/y": RAN},
    ),
    "Edit(path) covers all writing tools": (
        deny("Edit(//@ws/sub/**)"),
        {
            "Write @ws/sub/x": RULE,
            "Write @ws/x": RAN,
            "Bash echo 1 > sub/y": SUB,
            "Bash touch sub/y": SUB,
            "Bash mv a sub/a": SUB,
            "Bash python3 -c \"open('sub/z','w')\"": RAN,
        },
    ),
    "bare Edit leaves Write": (deny("Edit"), {"Write @ws/x": RAN, "Bash echo 1 > y": RAN}),
    "bare names remove the tool": (
        deny("Write", "WebFetch", "Bash", "Task", "CronList"),
        {
            "Write @ws/x": REMOVED,
            "WebFetch https://a.test/": REMOVED,
            "Bash ls": REMOVED,
            "Agent claude": REMOVED,
            "CronList": REMOVED,
        },
    ),
    "an agent type": (deny("Agent(general-purpose)"), {"Agent general-purpose": RULE}),
    "deny beats allow": (
        {"permissions": {"deny": ["Read(//**)"], "allow": ["Read(//@ws/**)"]}},
        {"Read @ws/a": RULE},
    ),
    "reads outside": (
        {"permissions": {"blockReadsOutsideWorkingDirectories": True, "allow": ["Read(//@out/**)"]}},
        {"Read @out/o": "denied other", "Read @ws/a": RAN, "Bash cat @out/o": "unapproved config"},
    ),
}

SEEN = [
    "curl x", "/usr/bin/curl x", "env curl x", "c\\url x", "'curl' x", "a=1; curl x", "true && curl x", "true | curl x",
    "echo $(curl x)", "echo `curl x`", "timeout 2 curl x", "nohup curl x", "command curl x", "X=curl; $X x", "(curl x)",
    "if true; then curl x; fi", "f() { curl x; }; f", "echo x | xargs curl", "sudo curl x", "cat <(curl x)", "curl", "ls\ncurl x",
]  # fmt: skip
UNSEEN = [
    "bash -c 'curl x'", "eval 'curl x'", "python3 -c \"import os; os.system('curl x')\"", "echo curl x | sh", "bash <<< 'curl x'",
    "source /dev/stdin <<< 'curl x'", "trap 'curl x' EXIT", "find . -maxdepth 0 -exec curl x \\;", "$'curl' x", "curlx x",
]  # fmt: skip
TRAMPOLINES = [f"Bash({name}:*)" for name in ("bash", "sh", "eval", "python3", "source", "trap", "find")]
GIT = {
    RAN: [
        "git status", "git status; git log", "git log 2>&1", "git log >/dev/null", 'git "status"', "git -c alias.x='!ls' x", "! git status",
    ],
    MODE: [
        "/usr/bin/git status", "env git status", "FOO=1 git status", "git log > o", "git log 2>o", "git $(ls)", "git log `ls`", "git log <(ls)",
        "(git status)", "git status & curl x", "git status\ncurl x", "bash -c 'git status'", "timeout 5 git status", "command git status",
        "git status | cat", "ls", "cat a", "cd sub && git status", "git diff $HOME",
    ],
}  # fmt: skip
WRAPPERS = [f"Bash({name}:*)" for name in ("timeout", "nohup", "time", "command", "nice", "stdbuf")]


def read_only(*allowed):
    """The rules that close what Bash may do without any rule."""
    return [f"Bash({name}:*)" for name in DATA["bash_without_rule"] if name.split()[0] not in allowed]


@pytest.mark.parametrize("case", PATHS)
def test_path_and_name_rules(claude, case):
    settings, expected = PATHS[case]
    assert claude.verdicts(settings, list(expected), skip_permissions=True) == expected


def test_control(claude):
    lines = [
        line for _, rows in PATHS.values() for line in rows if line.split()[0] not in {"WebFetch", "Agent"}
    ]
    # A second Write of the same file and a moved file are other questions.
    lines = [line for line in dict.fromkeys(lines) if "mv a" not in line and "cp -r" not in line]
    session = claude.run(None, lines, skip_permissions=True)
    assert {v.kind for v in session.verdicts} == {"ran"}, session.verdicts


@pytest.mark.parametrize("rule", ["Bash(curl:*)", "Bash(curl *)"])
def test_what_a_bash_deny_sees_through(claude, rule):
    seen = claude.run(deny(rule), [f"Bash {line}" for line in SEEN], skip_permissions=True)
    assert {line: v.kind for line, v in zip(SEEN, seen.verdicts, strict=True)} == dict.fromkeys(
        SEEN, "denied"
    )


def test_what_a_bash_deny_does_not_see(claude):
    session = claude.run(deny("Bash(curl:*)"), [f"Bash {line}" for line in UNSEEN], skip_permissions=True)
    assert {v.kind for v in session.verdicts} == {"ran"}
    shut = claude.run(
        deny("Bash(curl:*)", *TRAMPOLINES), [f"Bash {line}" for line in UNSEEN[:-2]], skip_permissions=True
    )
    assert {v.kind for v in shut.verdicts} == {"denied"}, shut.verdicts


def test_bash_allow_list_with_the_rest_closed(claude):
    settings = closed(allow=["Bash(git *)"], ask=read_only("git") + WRAPPERS)
    expected = {f"Bash {line}": verdict for verdict, lines in GIT.items() for line in lines}
    assert claude.verdicts(settings, list(expected), timeout=120) == expected


def test_dont_ask_alone_is_no_allow_list(claude):
    lines = [
        "Bash ls",
        "Bash cat a",
        "Bash git --version",
        "Read @ws/a",
        "Read @out/o",
        "Write @ws/n",
        "Bash touch t",
        "Monitor ls",
        "CronList",
    ]
    verdicts = claude.verdicts(closed(), lines)
    assert [line for line, verdict in verdicts.items() if verdict == RAN] == [
        "Bash ls",
        "Bash cat a",
        "Read @ws/a",
        "Monitor ls",
        "CronList",
    ]
    assert {verdict for verdict in verdicts.values() if verdict != RAN} == {MODE}


@pytest.mark.parametrize("form", ["{}", "{} a"])
def test_built_in_read_only_commands_can_be_closed(claude, form):
    lines = [f"Bash {form.format(name)}" for name in DATA["bash_without_rule"]]
    session = claude.run(closed(ask=read_only()), lines, timeout=120)
    assert {v.kind for v in session.verdicts} == {"denied"}


def test_ask_for_everything_leaves_no_allow(claude):
    verdicts = claude.verdicts(closed(allow=["Bash(git *)"], ask=["Bash"]), ["Bash git status", "Bash ls"])
    assert set(verdicts.values()) == {MODE}


FETCH = {
    "WebFetch(domain:ok.test)": ["https://ok.test/", "http://ok.test:8080/", "https://OK.test/"],
    "WebFetch(domain:*.ok.test)": ["https://a.ok.test/", "https://b.a.ok.test/"],
    "WebFetch(domain:ok.test:443)": [],
    "WebFetch": [
        "https://ok.test/",
        "http://ok.test:8080/",
        "https://OK.test/",
        "https://a.ok.test/",
        "https://b.a.ok.test/",
        "https://ok.test.evil.test/",
    ],
}


@pytest.mark.parametrize("rule", FETCH)
def test_fetch_rules(claude, rule):
    urls = FETCH["WebFetch"]
    settings = closed(allow=[rule]) | {"skipWebFetchPreflight": True}
    verdicts = claude.verdicts(settings, [f"WebFetch {url}" for url in urls])
    assert [url for url in urls if verdicts[f"WebFetch {url}"] == RAN] == FETCH[rule]
    refused = claude.verdicts(deny(rule), [f"WebFetch {url}" for url in FETCH[rule]], skip_permissions=True)
    assert {verdict.split()[0] for verdict in refused.values()} <= {"denied"}


def test_preapproved_hosts_can_be_closed(claude):
    lines = [f"WebFetch https://{host}/" for host in DATA["webfetch_without_rule"]]
    settings = closed() | {"skipWebFetchPreflight": True}
    assert set(claude.verdicts(settings, lines[:2]).values()) == {RAN}
    shut = closed(ask=[f"WebFetch(domain:{host.split('/')[0]})" for host in DATA["webfetch_without_rule"]])
    assert set(claude.verdicts(shut | {"skipWebFetchPreflight": True}, lines).values()) == {MODE}


MODES = {
    "--permission-mode bypassPermissions": "dontAsk",
    "--dangerously-skip-permissions": "dontAsk",
    "--permission-mode auto": "default",
    "--permission-mode default": "default",
    "--permission-mode plan": "plan",
    "--bare": "dontAsk",
    "--safe-mode": "dontAsk",
    '--settings {"permissions":{"defaultMode":"acceptEdits","allow":["Bash","Write"]}}': "dontAsk",
    "--allowedTools Bash,Write": "dontAsk",
}


@pytest.mark.parametrize("flags", MODES)
def test_no_flag_opens_what_is_closed(claude, flags):
    session = claude.run(closed(), ["Bash touch t", "Read @out/o"], extra_argv=flags.split(" ", 1))
    assert session.init["permissionMode"] == MODES[flags]
    assert [v.kind for v in session.verdicts] == ["denied", "denied"]


def test_accept_edits_opens_the_working_folder_unless_denied(claude):
    flags, lines = ["--permission-mode", "acceptEdits"], ["Write @ws/n", "Bash touch t", "Bash echo 1 > r"]
    assert set(claude.verdicts(closed(), lines, extra_argv=flags).values()) == {RAN}
    shut = claude.verdicts(closed(deny=["Edit(//**)", "Write"]), lines, extra_argv=flags)
    assert {verdict.split()[0] for verdict in shut.values()} == {"denied"}


def test_user_settings_widen_only_what_the_working_folders_are(claude):
    allow = {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "allow"}}
    hook = {"type": "command", "command": f"echo '{json.dumps(allow)}'"}
    user = {
        "permissions": {
            "allow": ["Bash", "Write"],
            "defaultMode": "acceptEdits",
            "additionalDirectories": [str(claude.outside)],
        },
        "hooks": {"PreToolUse": [{"matcher": "*", "hooks": [hook]}]},
    }
    (claude.home / ".claude").mkdir()
    (claude.home / ".claude/settings.json").write_text(json.dumps(user))
    lines = ["Write @ws/n", "Bash touch t", "Read @out/o"]
    assert list(claude.verdicts(closed(), lines).values()) == [MODE, MODE, RAN]
    # Why allowManagedHooksOnly is part of every policy: a hook of the user's allows past the mode.
    open_to_hooks = {key: value for key, value in closed().items() if key != "allowManagedHooksOnly"}
    assert set(claude.verdicts(open_to_hooks, lines).values()) == {RAN}


def test_native_tools_are_the_recorded_ones(claude, located):
    if located("claude-code").version != DATA["version"]:
        pytest.skip(f"recorded for {DATA['version']}")
    session = claude.run({}, ["Bash ls"])
    assert sorted(session.init["tools"]) == sorted(DATA["listed_headless"])
    assert sorted(session.offered) == sorted(DATA["offered_headless"])
    names = {DATA["aliases"].get(name, name) for name in session.init["tools"]}
    assert names <= set(DATA["native_tools"])


def test_every_native_tool_can_be_removed(claude):
    session = claude.run(deny(*DATA["native_tools"]), ["Bash ls"], skip_permissions=True)
    assert session.init["tools"] == []
    assert session.loaded


@pytest.mark.parametrize(
    ("settings", "flags", "model"),
    [
        (
            {"availableModels": ["claude-sonnet-4-5"], "enforceAvailableModels": True},
            ["--model", "claude-opus-4-1"],
            "claude-sonnet-4-5",
        ),
        ({"availableModels": ["claude-sonnet-4-5"], "enforceAvailableModels": True}, [], "claude-sonnet-4-5"),
        ({"model": "claude-haiku-4-5"}, [], "claude-haiku-4-5"),
        ({}, ["--model", "claude-haiku-4-5"], "claude-haiku-4-5"),
    ],
)
def test_models(claude, settings, flags, model):
    session = claude.run(
        settings, ["Bash ls"], extra_argv=flags, env={"ANTHROPIC_DEFAULT_SONNET_MODEL": "other"}
    )
    assert {request.body["model"] for request in session.requests} == {model}


def test_an_empty_list_of_models_leaves_the_default(claude):
    settings = {"availableModels": [], "enforceAvailableModels": True}
    session = claude.run(settings, ["Bash ls"], extra_argv=["--model", "claude-haiku-4-5"])
    default = claude.run({}, ["Bash ls"])
    models = [{request.body["model"] for request in found.requests} for found in (session, default)]
    assert models[0] == models[1] != {"claude-haiku-4-5"}
