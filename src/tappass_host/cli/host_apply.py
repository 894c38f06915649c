"""`tappass-host apply` and `plan`: from an envelope to files in force, all or none."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tappass_host.cli.clock import now
from tappass_host.cli.errors import FINDINGS
from tappass_host.cli.host_state import host_option, layout_of, opened
from tappass_host.cli.output import Out
from tappass_host.cli.planning import Ground, Request, compile_plan, plan_options, prepare
from tappass_host.cli.policies import title
from tappass_host.cli.tree import verb
from tappass_host.cli.trusted import require_envelope
from tappass_host.host.layout import Layout

if TYPE_CHECKING:
    from tappass_host.compiler.plan import Plan
    from tappass_host.host.engine import Change, Engine, Wanted
    from tappass_host.host.store import Meta


@verb(
    "apply",
    "tappass-host apply --policy policy.dsse.json --runtime laptop --param workspace=/srv/checkout",
    "tappass-host apply --policy policy.dsse.json --host-root ~/.tappass-host --adopt",
)
@plan_options
@host_option
@click.option("--adopt", is_flag=True, help="Take over files that are not ours; uninstall gives them back.")
def apply(out: Out, *, host_root: str, adopt: bool, **named: Any) -> int:
    """Verify an envelope, render it for this machine, and put every file in force, all or none.

    Only envelopes are taken, never below a version that was in force. A kill at any point leaves the old or
    the new set; what was there before us is kept and comes back with `uninstall`. The lock-down of the
    policy is rendered and kept with it. It ends a lock-down after an expiry, not one of an operator.
    """
    layout = layout_of(host_root)
    ground, rendered, wanted = _compiled(layout, named)
    lockdown = _locked(ground, layout)
    meta = _meta(ground, rendered)
    with opened(host_root) as engine:
        _check(engine, meta)
        applied = engine.apply(wanted, meta, lockdown=lockdown, adopt=adopt)
        _vouch(engine, meta)
        locked = engine.store.force().rendering == "lockdown"
    changes = applied.changes if applied else ()
    answer = {
        "generation": applied.generation if applied else None,
        "locked_down": locked,
        "changes": [c._asdict() for c in changes],
    }
    out.result(lambda: answer, lambda: _told(out, ground, changes, done=True))
    if locked:
        out.note("an operator locked this host down: that stays in force until `tappass-host release`")
    return 0


@verb(
    "plan",
    "tappass-host plan --policy policy.dsse.json --runtime laptop",
    "tappass-host plan --policy policy.dsse.json --runtime laptop --exit-code",
)
@plan_options
@host_option
@click.option("--exit-code", is_flag=True, help="End with exit code 1 if something would change.")
def plan(out: Out, *, host_root: str, exit_code: bool, **named: Any) -> int:
    """Show what `apply` would change. After an apply it shows nothing."""
    layout = layout_of(host_root)
    ground, rendered, wanted = _compiled(layout, named)
    with opened(host_root) as engine:
        _check(engine, _meta(ground, rendered))
        changes = engine.plan(wanted)
    answer = {"changes": [c._asdict() for c in changes]}
    out.result(lambda: answer, lambda: _told(out, ground, changes, done=False))
    return FINDINGS if changes and exit_code else 0


def _compiled(layout: Layout, named: dict[str, Any]) -> "tuple[Ground, Plan, dict[str, Wanted]]":
    from tappass_host.host.deploy import files_of

    places = (("etc", str(layout.etc)), ("state", str(layout.rendered)), ("run", str(layout.run)))
    bridge = (("bridge", str(layout.rendered / "bridge.py")),)
    ground = prepare(Request(**{**named, "places": (*places, *bridge, *named["places"])}))
    require_envelope(ground.document)
    rendered = compile_plan(ground)
    return ground, rendered, files_of(rendered, layout)


def _locked(ground: Ground, layout: Layout) -> "dict[str, Wanted]":
    from tappass_host.host.deploy import files_of
    from tappass_host.policy.lockdown import lockdown_policy

    locked = ground._replace(bound=lockdown_policy(ground.bound))
    return files_of(compile_plan(locked, refuse_gaps=False), layout, lockdown=True)


def _check(engine: "Engine", meta: "Meta") -> None:
    """Refuse, before anything is written, a version below the floor and a policy that is over."""
    from tappass_host.host.validity import check_floor, check_time

    check_floor(meta, engine.store.floors())
    # The signature was checked by the wall clock alone; here what is known to have passed counts too.
    check_time(meta, engine.now())


def _vouch(engine: "Engine", meta: "Meta") -> None:
    from tappass_host.host import clock

    reading, mark = clock.read(), engine.store.mark()
    engine.store.keep_mark(clock.vouched(reading, mark, not_after=meta.expires_at))


def _meta(ground: Ground, rendered: "Plan") -> "Meta":
    from tappass_host.host.store import Meta
    from tappass_host.policy.times import format_instant, parse_instant

    policy = ground.document.policy
    return Meta(
        made_at=format_instant(now()),
        policy_version=policy.version,
        policy_digest=ground.document.digest,
        plan_digest=rendered.digest,
        org=policy.org_id,
        audience=f"{policy.audience.sandbox_id}|{policy.audience.host_class}",
        not_before=parse_instant(policy.not_before),
        expires_at=parse_instant(policy.expires_at),
        retain_until=parse_instant(policy.retain_until) if policy.retain_until else 0,
    )


def _told(out: Out, ground: Ground, changes: "Sequence[Change]", *, done: bool) -> None:
    out.status("policy", f"{title(ground.document.policy)}, an envelope, verified", "ok")
    for change in changes:
        out.line(f"          {change.what:<8} {Path(change.path)}")
    if not changes:
        out.status("apply" if done else "plan", "everything is in force already", "ok")
    elif done:
        out.status("apply", f"{len(changes)} files changed; uninstall gives back what was there", "ok")
    else:
        out.status("plan", f"{len(changes)} files would change")
