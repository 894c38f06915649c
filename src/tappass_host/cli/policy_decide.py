"""`tappass policy decide`: one action, one verdict, and why."""

from collections.abc import Callable
from typing import Any

import click

from tappass_host.cli.actions import KINDS, chosen, phrase
from tappass_host.cli.bound import bind_for_person, values_of
from tappass_host.cli.errors import FINDINGS
from tappass_host.cli.options import PAIR, param_option
from tappass_host.cli.output import Out
from tappass_host.cli.policies import describe, load_policy, title
from tappass_host.cli.tree import verb
from tappass_host.policy.model import Policy


def _action_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for kind in reversed(KINDS):
        function = click.option(
            f"--{kind.option}", f"act_{kind.option}", metavar=kind.metavar, help=kind.help
        )(function)
    return function


@verb(
    "decide",
    "tappass policy decide compiled.json --run 'git push origin main'",
    "tappass policy decide compiled.json --read ~/.ssh/id_ed25519",
    "tappass policy decide compiled.json --connect paste.rs:443 --expect deny",
    "tappass policy decide compiled.json --tool Bash --arg command='ls -l' --json",
)
@click.argument("policy", metavar="FILE")
@_action_options
@click.option(
    "--arg",
    "args",
    type=PAIR,
    multiple=True,
    metavar="NAME=VALUE",
    help="An argument of the call. Repeat it.",
)
@click.option(
    "--tainted",
    "labels",
    multiple=True,
    metavar="LABEL",
    help="A taint label that is set already. Repeat it.",
)
@param_option
@click.option("--sandbox", metavar="FILE", help="Take parameters from this sandbox file.")
@click.option(
    "--expect",
    type=click.Choice(["allow", "ask", "deny", "unmanaged"]),
    help="End with exit code 1 if the verdict is another.",
)
def decide(
    out: Out,
    *,
    policy: str,
    args: tuple[tuple[str, str], ...],
    labels: tuple[str, ...],
    params: tuple[tuple[str, str], ...],
    sandbox: str | None,
    expect: str | None,
    **actions: str | None,
) -> int:
    """Ask what a policy says of one action, and why.

    Name one action. Paths are taken as the agent sees them: absolute, with symbolic links resolved. The
    parameters home and workspace are your home and the current folder unless --param says otherwise.
    """
    from tappass_host.policy.decide import decide as judge
    from tappass_host.policy.effective import EffectivePolicy

    document = load_policy(policy)
    named = {name.removeprefix("act_"): value for name, value in actions.items()}
    action = chosen(named, dict(args))
    bound = bind_for_person(document.policy, values_of(params, sandbox))
    decision = judge(EffectivePolicy(bound), action, tainted=frozenset(labels))
    met = expect in (None, decision.effect.value)
    about = _about(bound, decision.statement)

    def text() -> None:
        out.status(decision.effect.value, phrase(action))
        rows = [("why", decision.reason), ("statement", decision.statement), *about.items()]
        out.table([row for row in rows if row[1]], indent=2)
        out.note(f"by {title(document.policy)}")
        if not met:
            out.line(f"expected {expect}", "red")

    def answer() -> object:
        return {
            "policy": describe(document),
            "action": action,
            "effect": decision.effect.value,
            "statement": decision.statement,
            "reason": decision.reason,
            **about,
            "expected": expect,
        }

    out.result(answer, text)
    return 0 if met else FINDINGS


def _about(policy: Policy, statement: str) -> dict[str, str]:
    said, note = policy.provenance.get(statement), policy.annotations.get(statement)
    return {
        "said by": f"{said.level} {said.source}".strip() if said else "",
        "because": note.reason if note else "",
        "ask": " ".join(part for part in (note.owner, note.url) if part) if note else "",
    }
