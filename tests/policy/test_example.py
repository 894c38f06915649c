"""The example that the documentation and the demo walk through says what its comments promise."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tappass_host.compiler.recipe import parse_recipe
from tappass_host.policy import actions as a
from tappass_host.policy.authored import load_level
from tappass_host.policy.cascade import compose
from tappass_host.policy.decide import decide
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import CascadeViolationError
from tappass_host.policy.lint import lint
from tappass_host.policy.narrower import is_narrower
from tappass_host.policy.params import bind
from tappass_host.policy.sandbox import parse_sandbox
from tappass_host.policy.statements import statements

ACME = Path(__file__).parents[2] / "examples" / "acme"


def levels(*names):
    return [load_level((ACME / name).read_bytes(), source=name) for name in names]


@pytest.fixture
def sandbox():
    return parse_sandbox((ACME / "sandbox.yaml").read_bytes(), source="sandbox.yaml")


@pytest.fixture
def policy(sandbox, head, catalogue):
    return compose(levels(*sandbox.policies), head=head, catalogue=catalogue).policy


def test_composes_without_remarks_but_the_one_it_mentions(sandbox, policy, head, catalogue):
    assert compose(levels(*sandbox.policies), head=head, catalogue=catalogue).findings == ()
    assert [(f.code, f.statement) for f in lint(policy)] == [("launcher", "tools.allow[Bash(git *)]")]
    assert 60 <= len(statements(policy)) <= 80


def test_every_level_narrows(head, catalogue):
    names = ("org.yaml", "project.yaml", "agent.yaml")
    org, project, agent = (
        compose(levels(*names[:n]), head=head, catalogue=catalogue).policy for n in (1, 2, 3)
    )
    assert is_narrower(agent, project)
    # The project asks about a command that the organisation allows: see `ask` in the cascade's rules.
    assert not is_narrower(project, org)
    without = replace(project, tools=replace(project.tools, ask=org.tools.ask))
    assert is_narrower(without, org)


def test_widening_names_its_line(head, catalogue):
    text = (ACME / "project.yaml").read_text() + "\nprocess:\n  memory_mb: 9000\n"
    project = load_level(text.encode(), source="project.yaml")
    with pytest.raises(CascadeViolationError) as caught:
        compose([*levels("org.yaml"), project], head=head, catalogue=catalogue)
    assert caught.value.source == f"project.yaml:{text.count(chr(10))}:14"


def tool(name, **args):
    return a.Tool(name=name, args=args)


VERDICTS = {
    "git status": (tool("Bash", command="git status"), "allow", "org"),
    "git push": (tool("Bash", command="git push"), "ask", "org"),
    "git tag": (tool("Bash", command="git tag v1"), "ask", "project"),
    "forced push": (tool("Bash", command="git push --force"), "deny", "agent"),
    "pwd": (tool("Bash", command="pwd"), "allow", "org"),
    "pwd with an argument": (tool("Bash", command="pwd -P"), "deny", "org"),
    "hidden curl": (tool("Bash", command="sh -c 'curl x'"), "deny", "org"),
    "a key": (a.File(op="read", path="/home/dev/.ssh/id"), "deny", "org"),
    "production keys": (a.File(op="read", path="/srv/checkout/deploy/keys/k"), "deny", "project"),
    "the workspace": (a.File(op="write", path="/srv/checkout/a.py"), "allow", "org"),
    "a system file": (a.File(op="write", path="/usr/bin/x"), "deny", "org"),
    "passwd": (tool("Read", path="/etc/passwd"), "deny", "org"),
    "the API": (a.Connect(host="api.acme-demo.test"), "allow", "org"),
    "the project's documents": (a.Connect(host="payments.docs.acme-demo.test"), "allow", "project"),
    "other documents": (a.Connect(host="hr.docs.acme-demo.test"), "deny", "org"),
    "a paste board": (a.Connect(host="pastebin.com"), "deny", "org"),
    "metadata": (a.Connect(host="169.254.169.254", port=80), "deny", "org"),
    "a ticket": (a.McpCall(server="tickets", tool="read_ticket"), "allow", "org"),
    "all tickets": (a.McpCall(server="tickets", tool="export_all"), "deny", "project"),
    "another project's tickets": (
        a.McpCall(server="tickets", tool="search", args={"project": "HR"}),
        "deny",
        "project",
    ),
    "a customer": (a.HostCall(name="lookup_customer", args={"customer_id": "C-123456"}), "allow", "org"),
    "a wrong customer": (a.HostCall(name="lookup_customer", args={"customer_id": "*"}), "deny", "org"),
    "many orders": (a.HostCall(name="list_orders", args={"limit": 51}), "deny", "agent"),
    "socket": (a.Import(module="socket"), "deny", "org"),
    "memory": (a.Use(resource="interpreter.memory_mb", amount=200), "deny", "agent"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(policy, sandbox, name):
    action, effect, level = VERDICTS[name]
    bound = bind(policy, sandbox.params)
    verdict = decide(EffectivePolicy(bound), action)
    assert (verdict.effect, bound.provenance[verdict.statement].level) == (effect, level)


def test_the_runtime_is_a_recipe(sandbox):
    assert sandbox.runtimes == ("runtime.yaml",)
    recipe = parse_recipe((ACME / "runtime.yaml").read_bytes(), source="runtime.yaml")
    providers = {use.id: (use.provider, use.inside) for use in recipe.uses}
    assert providers["harness"] == ("claude-code", "kernel")
    assert {provider for provider, _ in providers.values()} == {
        "bubblewrap",
        "claude-code",
        "egress-proxy",
        "monty",
    }
