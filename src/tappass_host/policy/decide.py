"""`decide(policy, action)`: the meaning of a policy. Everything else is tested against this.

An action is a set of checks over the aspects it touches; the strictest check wins (deny > ask > allow), and
an allow is promised only when every aspect touched is managed. Where several checks are equally strict the
statement reported is the first of deny, constraint, ask, allow, default, in the order tools, mcp, network,
filesystem.
"""

from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from tappass_host.policy import actions as a
from tappass_host.policy.decide_fs import file_checks
from tappass_host.policy.decide_net import connect_checks, unix_checks
from tappass_host.policy.decide_tools import mcp_checks, start_checks, tool_checks
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.verdicts import Check, Kind, unmanaged


class Decision(NamedTuple):
    """The verdict, the statement that gave it (empty where unmanaged), and why in a few words."""

    effect: Effect
    statement: str
    reason: str


_KINDS: Final[tuple[Kind, ...]] = ("deny", "constraint", "ask", "allow", "default", "unmanaged")
_ASPECTS: Final = ("tools", "mcp", "network", "filesystem")


def decide(policy: EffectivePolicy, action: a.Action, *, tainted: frozenset[str] = frozenset()) -> Decision:
    """Judge one action.

    Args:
        policy: a bound policy, so that its paths are those of the agent's view.
        action: with resolved absolute paths.
        tainted: taint labels set so far.

    Returns:
        The strictest verdict and the statement to report for it.
    """
    checks = list(_CHECKS[type(action)](policy, action, tainted))
    worst = max(check.effect.strictness for check in checks)
    first = min((c for c in checks if c.effect.strictness == worst), key=_order)
    return Decision(first.effect, first.statement, first.reason)


def grounds(policy: EffectivePolicy, action: a.Action) -> frozenset[str]:
    """The statements of every check that an action passes: all of them have to be held for an allow."""
    checks = _CHECKS[type(action)](policy, action, frozenset())
    return frozenset(check.statement for check in checks if check.statement)


def _order(check: Check) -> tuple[int, int]:
    aspect = check.statement.partition(".")[0]
    place = _ASPECTS.index(aspect) if aspect in _ASPECTS else len(_ASPECTS)
    return _KINDS.index(check.kind), place


def _tool(policy: EffectivePolicy, act: a.Tool, tainted: frozenset[str]) -> Iterator[Check]:
    yield from tool_checks(policy, act, tainted)
    if act.name in ("Read", "Write") and isinstance(act.args.get("path"), str):
        op: Literal["read", "write"] = "read" if act.name == "Read" else "write"
        yield from file_checks(policy, op, str(act.args["path"]))
    if act.name == "WebFetch":
        yield from _fetch(policy, str(act.args.get("url", "")))


def _fetch(policy: EffectivePolicy, url: str) -> Iterator[Check]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        if policy.doc.network is not None:
            yield Check(Effect.DENY, "deny", policy.id("network.default"), "not an http or https URL")
        return
    yield from connect_checks(policy, host, port or (443 if parts.scheme == "https" else 80), "tcp")


def _file(policy: EffectivePolicy, act: a.File, _: frozenset[str]) -> Iterator[Check]:
    return file_checks(policy, act.op, act.path, act.to)


def _connect(policy: EffectivePolicy, act: a.Connect, _: frozenset[str]) -> Iterator[Check]:
    node = policy.doc.interpreter
    if act.surface == "code" and node is not None and node.network == "off":
        yield Check(Effect.DENY, "deny", policy.id("interpreter.network"), "interpreter code has no network")
    yield from connect_checks(policy, act.host, act.port, act.protocol)


def _unix(policy: EffectivePolicy, act: a.UnixConnect, _: frozenset[str]) -> Iterator[Check]:
    yield from unix_checks(policy, act.path)
    # A socket is a file too, and what is denied as a file cannot be connected to.
    yield from (check for check in file_checks(policy, "read", act.path) if check.kind == "deny")


def _mcp_call(policy: EffectivePolicy, act: a.McpCall, _: frozenset[str]) -> Iterator[Check]:
    return mcp_checks(policy, act)


def _mcp_start(policy: EffectivePolicy, act: a.McpStart, _: frozenset[str]) -> Iterator[Check]:
    return start_checks(policy, act)


def _host_call(policy: EffectivePolicy, act: a.HostCall, tainted: frozenset[str]) -> Iterator[Check]:
    node = policy.doc.interpreter
    if node is None:
        yield unmanaged("interpreter")
        return
    yield _listed(policy, "interpreter.host_functions", act.name, node.host_functions, node.default)
    # Host functions share the tools' namespace; only what tools say *about arguments* applies to them.
    yield from (
        c
        for c in tool_checks(policy, a.Tool(name=act.name, args=act.args), tainted)
        if c.kind == "constraint"
    )


def _listed(policy: EffectivePolicy, field: str, name: str, entries: tuple[str, ...], default: str) -> Check:
    if name in entries:
        return Check(Effect.ALLOW, "allow", f"{field}[{name}]", f"{name} is listed")
    aspect = field.partition(".")[0]
    return Check(Effect(default), "default", policy.id(f"{aspect}.default"), f"{name} is not listed")


def _import(policy: EffectivePolicy, act: a.Import, _: frozenset[str]) -> Iterator[Check]:
    node = policy.doc.interpreter
    if node is None:
        yield unmanaged("interpreter")
        return
    for name in node.deny_imports:
        if act.module == name or act.module.startswith(name + "."):
            yield Check(
                Effect.DENY, "deny", f"interpreter.deny_imports[{name}]", f"import of {name} is denied"
            )
            return
    listed = [n for n in node.allow_imports if act.module == n or act.module.startswith(n + ".")]
    yield _listed(
        policy,
        "interpreter.allow_imports",
        listed[0] if listed else act.module,
        node.allow_imports,
        node.default,
    )


def _env(policy: EffectivePolicy, act: a.EnvRead, _: frozenset[str]) -> Iterator[Check]:
    credentials, code = policy.doc.credentials, policy.doc.interpreter
    if credentials is not None and act.name in credentials.hide_env:
        yield Check(Effect.DENY, "deny", f"credentials.hide_env[{act.name}]", f"{act.name} is hidden")
    elif act.surface == "code" and code is not None:
        # Code has an environment of its own, listed name by name.
        yield _listed(policy, "interpreter.env", act.name, code.env, code.default)
    elif credentials is None:
        yield unmanaged("credentials")
    elif any(s.env == act.name for s in credentials.secrets):
        yield Check(Effect.ALLOW, "allow", f"credentials.secrets[{act.name}]", f"{act.name} is granted")
    else:
        default = Effect(credentials.default)
        yield Check(default, "default", policy.id("credentials.default"), f"{act.name} is not listed")


def _use(policy: EffectivePolicy, act: a.Use, _: frozenset[str]) -> Iterator[Check]:
    aspect, _dot, field = act.resource.partition(".")
    node = getattr(policy.doc, aspect)
    limit = None if node is None else getattr(node, field)
    if limit is None:
        yield unmanaged(aspect)
        return
    statement = policy.id(act.resource)
    if act.amount > limit:
        yield Check(Effect.DENY, "deny", statement, f"{act.amount} is more than {limit}")
    else:
        yield Check(Effect.ALLOW, "allow", statement, f"{act.amount} is within {limit}")


def _run_as(policy: EffectivePolicy, act: a.RunAs, _: frozenset[str]) -> Iterator[Check]:
    node = policy.doc.process
    if node is None or node.run_as_uid is None:
        yield unmanaged("process")
    elif act.uid == node.run_as_uid:
        yield Check(Effect.ALLOW, "allow", policy.id("process.run_as_uid"), f"uid {act.uid}")
    else:
        yield Check(Effect.DENY, "deny", policy.id("process.run_as_uid"), f"not uid {node.run_as_uid}")


def _model(policy: EffectivePolicy, act: a.ModelCall, _: frozenset[str]) -> Iterator[Check]:
    node = policy.doc.llm
    if node is None:
        yield unmanaged("llm")
        return
    for name in node.models.deny:
        if model_matches(name, act.model):
            yield Check(Effect.DENY, "deny", f"llm.models.deny[{name}]", f"model {act.model} is denied")
            return
    if act.route not in BASIC_ROUTES and act.route not in node.routes:
        yield Check(Effect.DENY, "deny", policy.id("llm.default"), f"route {act.route} is not listed")
    names = [n for n in node.models.allow if model_matches(n, act.model)]
    yield _listed(
        policy, "llm.models.allow", names[0] if names else act.model, node.models.allow, node.default
    )


# Routes that every gateway serves for an allowed model; all others (batches, files, realtime) must be listed.
BASIC_ROUTES: Final = frozenset({"messages", "count_tokens", "models", "chat", "responses", "embeddings"})


def model_matches(pattern: str, model: str) -> bool:
    """Model names match exactly, or by prefix where the pattern ends in `*`."""
    return model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern


def _query(policy: EffectivePolicy, act: a.Query, _: frozenset[str]) -> Iterator[Check]:
    node = policy.doc.data
    if node is None:
        yield unmanaged("data")
        return
    source = next((s for s in node.sources if s.id == act.source), None)
    view = next((v for v in source.views if v.name == act.view), None) if source else None
    if view is None:
        yield Check(
            Effect(node.default), "default", policy.id("data.default"), f"{act.view} is not a listed view"
        )
        return
    at = f"data.sources[{act.source}].views[{act.view}]"
    outside = [c for c in act.columns if c not in view.columns]
    if outside:
        statement = f"{at}.columns[{','.join(view.columns)}]"
        yield Check(Effect.DENY, "deny", statement, f"column {outside[0]} is not in the view")
    if view.max_rows is not None and act.rows > view.max_rows:
        yield Check(Effect.DENY, "deny", f"{at}.max_rows[{view.max_rows}]", f"more than {view.max_rows} rows")
    yield Check(Effect.ALLOW, "allow", at, f"view {act.view} is listed")


_CHECKS: Final[dict[type, Callable[..., Iterator[Check]]]] = {
    a.Tool: _tool,
    a.McpCall: _mcp_call,
    a.McpStart: _mcp_start,
    a.File: _file,
    a.Connect: _connect,
    a.UnixConnect: _unix,
    a.HostCall: _host_call,
    a.Import: _import,
    a.EnvRead: _env,
    a.Use: _use,
    a.RunAs: _run_as,
    a.ModelCall: _model,
    a.Query: _query,
}
