"""Are the new limits narrower: interpreter, data, llm, budget, process, credentials, and the head."""

from collections.abc import Iterator
from typing import Any

from tappass_host.policy import actions as a
from tappass_host.policy.cascade.covers import model, module, path
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Secret, Source, View
from tappass_host.policy.narrower.gap import Gap, gap, looser, missing


def limit_gaps(
    new: EffectivePolicy, old: EffectivePolicy, aspect: str, names: tuple[str, ...]
) -> Iterator[Gap]:
    """Numbers that may only be lower."""
    mine, theirs = getattr(new.doc, aspect), getattr(old.doc, aspect)
    for name in names:
        limit, before = getattr(mine, name), getattr(theirs, name)
        if before is not None and (limit is None or limit > before):
            use = a.Use(resource=f"{aspect}.{name}", amount=before + 1)  # type: ignore[arg-type]
            statement = f"{aspect}.{name}[{before if limit is None else limit}]"
            yield gap(statement, "a limit is gone" if limit is None else "a higher limit", use)


def interpreter_gaps(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    """The interpreter aspect."""
    mine, theirs = new.doc.interpreter, old.doc.interpreter
    assert mine is not None
    assert theirs is not None
    for name in ("default", "network"):
        if looser(getattr(mine, name), getattr(theirs, name)):
            yield gap(
                new.id(f"interpreter.{name}"),
                "opens up",
                a.HostCall(name="unlisted"),
                a.Import(module="unlisted"),
            )
    yield from limit_gaps(new, old, "interpreter", ("memory_mb", "cpu_time_ms"))
    for name in theirs.deny_imports:
        shut = mine.default == "deny" and not any(
            module(m, name) or module(name, m) for m in mine.allow_imports
        )
        if not shut and not any(module(m, name) for m in mine.deny_imports):
            yield gap(f"interpreter.deny_imports[{name}]", "a denial is gone", a.Import(module=name))
    if theirs.default == "allow":
        return
    for name in missing(theirs.host_functions, mine.host_functions):
        yield gap(f"interpreter.host_functions[{name}]", "a new function", a.HostCall(name=name))
    for name in mine.allow_imports:
        if not any(module(m, name) for m in theirs.allow_imports):
            yield gap(f"interpreter.allow_imports[{name}]", "a new module", a.Import(module=name))
    for name in missing(theirs.env, mine.env):
        yield gap(f"interpreter.env[{name}]", "a new variable", a.EnvRead(name=name, surface="code"))


def data_gaps(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    """The data aspect."""
    mine, theirs = new.doc.data, old.doc.data
    assert mine is not None
    assert theirs is not None
    if looser(mine.default, theirs.default):
        yield gap(
            new.id("data.default"), "unlisted views open up", a.Query(source="unlisted", view="unlisted")
        )
    sources = {source.id: source for source in theirs.sources}
    for source in mine.sources:
        yield from _source(source, sources.get(source.id), open_=theirs.default == "allow")
    kept = {(s.id, v.name) for s in mine.sources for v in s.views}
    for source in theirs.sources if mine.default == "allow" else ():
        for view in source.views:
            if (source.id, view.name) not in kept:
                act = a.Query(source=source.id, view=view.name, columns=("unlisted",))
                yield gap(f"data.sources[{source.id}].views[{view.name}]", "its limits are gone", act)


def _source(new: Source, old: Source | None, *, open_: bool) -> Iterator[Gap]:
    at = f"data.sources[{new.id}]"
    if old is not None and (new.kind, new.path) != (old.kind, old.path):
        yield gap(at, "another place", *(_query(new, view) for view in new.views))
    views = {view.name: view for view in old.views} if old is not None else {}
    if old is None and not open_:
        yield gap(at, "a new source", *(_query(new, view) for view in new.views))
        return
    for view in new.views:
        before = views.get(view.name)
        if before is not None:
            yield from _view(new, view, before)
        elif not open_:
            yield gap(f"{at}.views[{view.name}]", "a new view", _query(new, view))


def _query(source: Source, view: View, *columns: str, rows: int = 1) -> a.Action:
    return a.Query(source=source.id, view=view.name, columns=columns or view.columns[:1], rows=rows)


def _view(source: Source, new: View, old: View) -> Iterator[Gap]:
    at = f"data.sources[{source.id}].views[{new.name}]"
    if new.table != old.table:
        yield gap(at, "another table", _query(source, new))
    for column in missing(old.columns, new.columns):
        yield gap(f"{at}.columns[{','.join(new.columns)}]", f"column {column}", _query(source, new, column))
    if old.row_filter not in ("", new.row_filter):
        yield gap(f"{at}.row_filter[{old.row_filter}]", "another filter")
    if old.max_rows is not None and (new.max_rows is None or new.max_rows > old.max_rows):
        yield gap(f"{at}.max_rows[{old.max_rows}]", "more rows", _query(source, new, rows=old.max_rows + 1))


def llm_gaps(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    """The llm aspect."""
    mine, theirs = new.doc.llm, old.doc.llm
    assert mine is not None
    assert theirs is not None
    if looser(mine.default, theirs.default):
        yield gap(new.id("llm.default"), "unlisted models open up", a.ModelCall(model="unlisted"))
    for name in theirs.models.deny:
        shut = mine.default == "deny" and not any(model(m, name) or model(name, m) for m in mine.models.allow)
        if not shut and not any(model(m, name) for m in mine.models.deny):
            yield gap(f"llm.models.deny[{name}]", "a denial is gone", a.ModelCall(model=name.rstrip("*")))
    for name in mine.models.allow if theirs.default == "deny" else ():
        if not any(model(m, name) for m in theirs.models.allow):
            yield gap(f"llm.models.allow[{name}]", "a new model", a.ModelCall(model=name.rstrip("*")))
    for route in missing(theirs.routes, mine.routes):
        names = mine.models.allow or ("unlisted",)
        acts = (a.ModelCall(model=name.rstrip("*"), route=route) for name in names)
        yield gap(f"llm.routes[{route}]", "a new route", *acts)
    yield from _llm_plumbing(new, old)


def _llm_plumbing(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    mine, theirs = new.doc.llm, old.doc.llm
    assert mine is not None
    assert theirs is not None
    if theirs.gateway_url and mine.gateway_url != theirs.gateway_url:
        yield gap(f"llm.gateway_url[{theirs.gateway_url}]", "another gateway")
    for upstream in mine.upstreams:
        if upstream not in theirs.upstreams:
            yield gap(f"llm.upstreams[{upstream.id}]", "a new or changed upstream")
    if mine.redact[: len(theirs.redact)] != theirs.redact:
        lost = next((r for r in theirs.redact if r not in mine.redact), theirs.redact[0])
        yield gap(f"llm.redact[{lost.detector}:{lost.action}:{lost.direction}]", "redaction changes")
    if old.doc.budget and old.doc.budget.dollars_per_month is not None and mine.prices != theirs.prices:
        yield gap(f"budget.dollars_per_month[{old.doc.budget.dollars_per_month}]", "counted in other prices")


def credential_gaps(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    """The credentials aspect."""
    mine, theirs = new.doc.credentials, old.doc.credentials
    assert mine is not None
    assert theirs is not None
    if looser(mine.default, theirs.default):
        yield gap(new.id("credentials.default"), "unlisted variables open up", a.EnvRead(name="UNLISTED"))
    secrets = {secret.env: secret for secret in theirs.secrets}
    granted = {secret.env for secret in mine.secrets}
    for name in missing(mine.hide_env, theirs.hide_env):
        if mine.default == "allow" or name in granted:
            yield gap(f"credentials.hide_env[{name}]", "no longer hidden", a.EnvRead(name=name))
    for secret in mine.secrets:
        yield from _secret(secret, secrets.get(secret.env))


def _secret(new: Secret, old: Secret | None) -> Iterator[Gap]:
    from tappass_host.policy.cascade.covers import domain

    at = f"credentials.secrets[{new.env}]"
    if old is None or new.ref != old.ref:
        yield gap(at, "a new secret", a.EnvRead(name=new.env))
    elif old.domains and not new.domains:
        yield gap(f"{at}.domains[{old.domains[0]}]", "may be sent anywhere")
    elif old.domains:
        for name in new.domains:
            if not any(domain(d, name) for d in old.domains):
                yield gap(f"{at}.domains[{name}]", "may be sent to a new place")


def process_gaps(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    """The process aspect."""
    yield from limit_gaps(
        new, old, "process", ("memory_mb", "max_processes", "max_open_files", "cpu_percent")
    )
    for name in ("run_as_uid", "run_as_gid"):
        number, before = getattr(new.doc.process, name), getattr(old.doc.process, name)
        if before is not None and number != before:
            act = a.RunAs(uid=0 if number is None else number) if name == "run_as_uid" else None
            yield gap(f"process.{name}[{before if number is None else number}]", "another identity", act)


def budget_gaps(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    """The budget aspect."""
    names = ("tokens_per_day", "tokens_per_call", "dollars_per_month", "tool_calls_per_minute")
    yield from limit_gaps(new, old, "budget", names)


def head_gaps(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    """The head. Times of validity move with every renewal and are no part of what is permitted."""
    mine, theirs = new.doc, old.doc
    for name in ("mode", "on_expiry"):
        if looser(getattr(mine, name), getattr(theirs, name)):
            yield gap(f"{name}[{getattr(mine, name)}]", "is looser")
    if theirs.freshness is not None and not _fresher(mine.freshness, theirs.freshness):
        yield gap(f"head.freshness[{theirs.freshness.max_age_s}]", "may be older")
    for vendor, keys in mine.extensions.items():
        for key, value in keys.items():
            if theirs.extensions.get(vendor, {}).get(key, ...) != value:
                yield gap(f"extensions.{vendor}.{key}", "a new or changed extension")
    for name, param in mine.params.items():
        before = theirs.params.get(name)
        if before is not None and not _within(param, before):
            yield gap(f"params.{name}", "may be bound more widely")


def _fresher(new: Any, old: Any) -> bool:
    if new is None or looser(new.on_stale, old.on_stale):
        return False
    return bool(new.max_age_s <= old.max_age_s and new.grace_s <= old.grace_s)


def _within(new: Any, old: Any) -> bool:
    if not old.under:
        return bool(new.type == old.type)
    covered = (any(path(folder, under) for folder in old.under) for under in new.under)
    return bool(new.type == old.type and new.under and all(covered))
