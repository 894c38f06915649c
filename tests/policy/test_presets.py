"""The shipped presets compile, are ordered by strictness, and do what their first line says."""

from itertools import combinations, pairwise

import pytest

from tappass_host.policy import actions as a
from tappass_host.policy.authored import PRESETS, load_level
from tappass_host.policy.cascade import compose
from tappass_host.policy.decide import decide
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.lint import lint
from tappass_host.policy.model import ASPECTS
from tappass_host.policy.narrower import is_narrower, widenings
from tappass_host.policy.params import bind
from tappass_host.policy.presets import preset_level, preset_text
from tappass_host.policy.statements import statements

VALUES = {"workspace": "/home/dev/ws", "home": "/home/dev"}


@pytest.fixture
def preset(cascade):
    return lambda name: cascade(org=f"extends: {name}").policy


@pytest.mark.parametrize("name", PRESETS)
def test_compiles_and_says_every_aspect(preset, name):
    policy = preset(name)
    assert policy.tier == name
    assert [aspect for aspect in ASPECTS if getattr(policy, aspect) is None] == ["llm"]
    assert set(policy.provenance) == {s.id for s in statements(policy)}


@pytest.mark.parametrize("name", PRESETS)
def test_is_an_ordinary_level(name, head, catalogue, preset):
    level = load_level(preset_text(name), source=f"{name}.yaml")
    policy = compose([level], head=head, catalogue=catalogue).policy
    assert policy.network == preset(name).network
    assert policy.org_id == name


@pytest.mark.parametrize("name", PRESETS)
def test_is_commented(name):
    lines = preset_text(name).decode().splitlines()
    assert lines[0].startswith(f"# {name}: ")
    assert sum("#" in line for line in lines) >= 5


@pytest.mark.parametrize(("stricter", "looser"), list(combinations(PRESETS, 2)))
def test_strictness_is_proven(preset, stricter, looser):
    assert is_narrower(preset(stricter), preset(looser))


@pytest.mark.parametrize(("stricter", "looser"), list(pairwise(PRESETS)))
def test_each_opens_something(preset, stricter, looser):
    opened = widenings(preset(stricter), preset(looser))
    assert any(w.action is not None for w in opened)


def tool(name, **args):
    return a.Tool(name=name, args=args)


def bash(line):
    return tool("Bash", command=line)


# action: verdict of observer, worker, standard, full
VERDICTS = {
    "read in the workspace": (tool("Read", path="/home/dev/ws/a"), "allow allow allow allow"),
    "write in the workspace": (tool("Write", path="/home/dev/ws/a"), "deny allow allow allow"),
    "write outside": (tool("Write", path="/etc/hosts"), "deny deny deny deny"),
    "read a key": (tool("Read", path="/home/dev/.ssh/id"), "deny deny deny deny"),
    "read .env": (a.File(op="read", path="/home/dev/ws/x/.env"), "deny deny deny deny"),
    "read /etc/hostname": (a.File(op="read", path="/etc/hostname"), "deny deny deny allow"),
    "git status": (bash("git status"), "deny allow allow allow"),
    "git push": (bash("git push"), "deny deny ask ask"),
    "curl": (bash("curl x"), "deny deny deny deny"),
    "make": (bash("make"), "deny deny ask allow"),
    "fetch a known site": (tool("WebFetch", url="https://docs.python.org/3/"), "deny deny allow allow"),
    "connect anywhere": (a.Connect(host="example.net"), "deny deny deny allow"),
    "connect to a tunnel": (a.Connect(host="x.ngrok.io"), "deny deny deny deny"),
    "connect to metadata": (a.Connect(host="169.254.169.254", port=80), "deny deny deny deny"),
    "unknown tool": (tool("brand_new"), "deny deny ask ask"),
    "a token": (a.EnvRead(name="GITHUB_TOKEN"), "deny deny deny deny"),
    "an unlisted server": (a.McpCall(server="s", tool="t"), "deny deny deny deny"),
    "import json": (a.Import(module="json"), "deny allow allow allow"),
    "import socket": (a.Import(module="socket"), "deny deny deny allow"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(preset, name):
    action, expected = VERDICTS[name]
    bound = [EffectivePolicy(bind(preset(p), VALUES)) for p in PRESETS]
    assert " ".join(decide(policy, action).effect for policy in bound) == expected


@pytest.mark.parametrize("name", PRESETS)
def test_has_no_dead_or_wide_rule(preset, name):
    assert lint(preset(name)) == []


def test_speaks_for_the_level_that_extends_it():
    level = preset_level("worker", "agent")
    assert level.level == "agent"
    entry = level.root.section("tools").entries("allow")[0]
    assert (entry.level, entry.soft) == ("agent", True)
    assert entry.source.startswith("preset:worker.yaml:")


def test_an_unknown_preset_is_no_file():
    with pytest.raises(KeyError):
        preset_text("../catalogue/categories")
