"""Gate 2 for decision-service: its own decoder takes what is rendered, and nothing else; and the service runs."""

import json
import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from tappass_host.policy.errors import RenderError
from tappass_host.providers.host.decision_service.provider import DecisionOptions, render
from tappass_host.providers.host.decision_service.target import detect, validate
from tappass_host.sdk.configs.decision import decode, encode
from tappass_host.sdk.contract import TargetCapabilities
from tappass_host.sdk.hooks import HOOK_PROGRAM, hook_argv
from tappass_host.sdk.kit.reference import reference

RENDERED = sorted(Path(__file__).parent.glob("cases/*/expected/run/*/decision.json"))


def test_it_is_here():
    assert detect().version


@pytest.mark.parametrize("path", RENDERED, ids=[path.parents[3].name for path in RENDERED])
def test_the_service_takes_it(path):
    assert validate({"run/a/decision.json": path.read_bytes()}) == []
    config = decode(path.read_bytes())
    assert decode(encode(config)) == config


BROKEN = [
    ("an unknown field", {"surprise": 1}),
    ("a rule that is none", {"tools": {"default": "deny", "allow": ["Bash("]}}),
    ("no socket", {"listen": {}}),
    ("an expiry that is none", {"policy": {"digest": "x", "version": 1, "expires_at": "soon"}}),
    ("a dialect that nobody speaks", {"hooks": [{"dialect": "cobol"}]}),
]


@pytest.mark.parametrize(("what", "change"), BROKEN, ids=[what for what, _ in BROKEN])
def test_the_service_does_not_take(what, change):
    document = {**json.loads(RENDERED[0].read_bytes()), **change}
    assert validate({"run/a/decision.json": json.dumps(document).encode()})


def test_other_files_are_not_looked_at():
    assert validate({"etc/other.json": b"{"}) == []


def test_options_that_let_an_agent_answer_itself():
    options = DecisionOptions(approvals="admin", apart="uid", uids=(1000,), admin_uids=(1000,))
    with pytest.raises(RenderError, match="could answer"):
        render(reference("full"), TargetCapabilities(version="0.1", options=options))


def test_what_a_harness_needs_of_it():
    target = TargetCapabilities(
        version="0.1", facts={f"program:{HOOK_PROGRAM}": "/usr/lib/tappass/hook_client.py"}
    )
    config = render(reference("full"), target)
    (offer,) = config.offers
    assert (offer.id, offer.unix) == ("decision-service", "/run/tappass/default/decision.sock")
    assert {need.value for need in config.needs} == {
        "/usr/bin/python3",
        "/usr/lib",
        "/usr/lib/tappass/hook_client.py",
    }


def test_what_is_rendered_runs(lab, tmp_path):
    """From the policy to a verdict over the socket, through the rendering and nothing else."""
    paths = {name: str(tmp_path / name) for name in ("run", "state", "home", "workspace")}
    rendered = render(reference("full"), TargetCapabilities(version="0.1", paths=paths))
    document = msgspec.to_builtins(rendered.artifact("decision").doc)
    service = lab(**document)
    assert service.bash("git status").effect == "allow"
    assert service.bash("curl x").effect == "deny"
    assert service.hook("lookup", {"id": "x"}).effect == "deny"
    argv = hook_argv(
        socket=rendered.offers[0].unix,
        client=service.argv()[3],
        dialect="claude-code",
        uids=[os.geteuid()],
        timeout_s=10,
    )

    message = json.dumps(service.message("Bash", {"command": "curl x"})).encode()
    done = subprocess.run(argv, input=message, capture_output=True, env={}, check=False)
    assert (done.returncode, b"tools.deny[Bash(curl *)]" in done.stderr) == (2, True)
    service.hook("WebFetch", {"url": "https://a.example.com/"})
    assert service.bash("git status").effect == "deny"  # deny_if_tainted
