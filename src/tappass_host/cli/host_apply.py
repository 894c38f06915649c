"""`tappass-host apply` and `plan`: from an envelope to files in force, all or none."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tappass_host.cli.clock import now
from tappass_host.cli.errors import FINDINGS
from tappass_host.cli.host_state import host_option, layout_of
from tappass_host.cli.output import Out
from tappass_host.cli.planning import Ground, Request, compile_plan, plan_options, prepare
from tappass_host.cli.policies import title
from tappass_host.cli.tree import verb
from tappass_host.cli.trusted import require_envelope
from tappass_host.host.layout import Layout
from tappass_host.policy.errors import EquivocationError, RollbackError

if TYPE_CHECKING:
    from tappass_host.compiler.plan import Plan
    from tappass_host.host.engine import Change, Engine, Wanted


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
    the new set; what was there before us is kept and comes back with `uninstall`.
    """
    layout = layout_of(host_root)
    ground, rendered, wanted = _compiled(layout, named)
    from tappass_host.host.engine import Engine

    with Engine.opened(layout.state) as engine:
        _check_floor(engine, ground)
        applied = engine.apply(wanted, _meta(ground, rendered), adopt=adopt)
        engine.store.raise_floor(*_audience(ground), ground.document.policy.version, ground.document.digest)
    changes = applied.changes if applied else ()
    answer = {
        "generation": applied.generation if applied else None,
        "changes": [c._asdict() for c in changes],
    }
    out.result(lambda: answer, lambda: _told(out, ground, changes, done=True))
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
    ground, _rendered, wanted = _compiled(layout, named)
    from tappass_host.host.engine import Engine

    with Engine.opened(layout.state) as engine:
        _check_floor(engine, ground)
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


def _audience(ground: Ground) -> tuple[str, str, str]:
    policy = ground.document.policy
    return "host", policy.org_id, f"{policy.audience.sandbox_id}|{policy.audience.host_class}"


def _check_floor(engine: "Engine", ground: Ground) -> None:
    """A lower version, or the same with other content, is refused before anything is written."""
    floor = engine.store.floors().get(_audience(ground))
    policy = ground.document.policy
    if floor is None:
        return
    version, digest = floor
    if policy.version < version:
        raise RollbackError(f"version {policy.version} is below {version}, which was in force here")
    if policy.version == version and ground.document.digest != digest:
        raise EquivocationError(f"version {version} was seen here with other content")


def _meta(ground: Ground, rendered: "Plan") -> Any:
    from tappass_host.host.store import Meta
    from tappass_host.policy.times import format_instant

    policy = ground.document.policy
    return Meta(format_instant(now()), policy.version, ground.document.digest, rendered.digest)


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
