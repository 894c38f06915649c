"""What an allow stands on: the statement of every check that the action passes."""

import pytest

from tappass_host.policy import actions as a
from tappass_host.policy.decide import decide, grounds
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Filesystem, Network, Policy, Tools


@pytest.fixture(scope="module")
def policy():
    return EffectivePolicy(
        Policy(
            version=1,
            issued_at="2026-01-01T00:00:00Z",
            not_before="2026-01-01T00:00:00Z",
            expires_at="2027-01-01T00:00:00Z",
            org_id="acme",
            tools=Tools(allow=("Read", "WebFetch", "Bash(ls)")),
            filesystem=Filesystem(workspace="/ws", read_write=("/tmp",)),
            network=Network(allow_domains=("a.com",)),
        )
    )


ROWS = {
    "a tool and its file": (
        a.Tool(name="Read", args={"path": "/tmp/x"}),
        {"tools.allow[Read]", "filesystem.read_write[/tmp]"},
    ),
    "a tool and its host": (
        a.Tool(name="WebFetch", args={"url": "https://a.com/"}),
        {"tools.allow[WebFetch]", "network.allow_domains[a.com]"},
    ),
    "a command line alone": (a.Tool(name="Bash", args={"command": "ls"}), {"tools.allow[Bash(ls)]"}),
    "both ends of a move": (
        a.File(op="move", path="/ws/a", to="/tmp/a"),
        {"filesystem.workspace[/ws]", "filesystem.read_write[/tmp]"},
    ),
    "nothing where nobody manages it": (a.ModelCall(model="m"), set()),
}


@pytest.mark.parametrize("name", ROWS)
def test_grounds(policy, name):
    action, expected = ROWS[name]
    assert grounds(policy, action) == expected


@pytest.mark.parametrize("name", ROWS)
def test_the_deciding_statement_is_among_them(policy, name):
    action, expected = ROWS[name]
    assert decide(policy, action).statement in {*expected, ""}
