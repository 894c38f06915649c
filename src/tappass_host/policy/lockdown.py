"""The lock-down of a policy: the same policy with every grant taken away.

It is what a host puts in force when a policy has ended or an operator says stop, rendered beforehand with the
policy itself. What the policy denies by name stays denied by name, so that what the compiler has to add for a
target to start at all (its needs) is never more than the policy itself would have let it have. Aspects that
the policy leaves unmanaged stay unmanaged: nobody asked for anything about them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from tappass_host.policy import model as m
from tappass_host.policy.statements import statements


def lockdown_policy(policy: m.Policy) -> m.Policy:
    """Deny everything in every aspect that a policy manages; head and identity stay as they are.

    `mode` becomes `enforce`: a lock-down that only observes is none.
    """
    closed = {
        name: close(node) for name, close in _CLOSED.items() if (node := getattr(policy, name)) is not None
    }
    locked = replace(policy, **closed, mode="enforce", compliance_tags={}, extensions={})
    return _about_what_is_left(locked)


def _network(node: m.Network) -> m.Network:
    denied = ("deny_domains", "deny_categories", "category_domains")
    return m.Network(**_kept(node, denied))


def _filesystem(node: m.Filesystem) -> m.Filesystem:
    return m.Filesystem(deny_paths=node.deny_paths)


def _tools(node: m.Tools) -> m.Tools:
    return m.Tools(**_kept(node, ("deny", "deny_if_tainted", "taint_sources")))


def _mcp(_node: m.Mcp) -> m.Mcp:
    return m.Mcp()


def _interpreter(node: m.Interpreter) -> m.Interpreter:
    return m.Interpreter(**_kept(node, ("deny_imports", "memory_mb", "cpu_time_ms")))


def _data(_node: m.Data) -> m.Data:
    return m.Data()


def _llm(node: m.Llm) -> m.Llm:
    # Where model calls go and what is taken out of them stays: without it they would go elsewhere, uncut.
    return m.Llm(models=m.Models(deny=node.models.deny), **_kept(node, ("gateway_url", "redact", "prices")))


def _budget(_node: m.Budget) -> m.Budget:
    return m.Budget(**dict.fromkeys(m.Budget.__struct_fields__, 0))


def _process(node: m.Process) -> m.Process:
    # One process is the least that says something: a target itself may start, and nothing from it.
    return replace(node, max_processes=1)


def _credentials(node: m.Credentials) -> m.Credentials:
    return m.Credentials(hide_env=node.hide_env)


_CLOSED: Final[Mapping[str, Callable[[Any], m.Node]]] = {
    "network": _network,
    "filesystem": _filesystem,
    "tools": _tools,
    "mcp": _mcp,
    "interpreter": _interpreter,
    "data": _data,
    "llm": _llm,
    "budget": _budget,
    "process": _process,
    "credentials": _credentials,
}


def _kept(node: m.Node, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(node, name) for name in names}


def _about_what_is_left(policy: m.Policy) -> m.Policy:
    """Drop what was said about statements that are gone."""
    left = {statement.id for statement in statements(policy)}
    return replace(
        policy,
        provenance={key: value for key, value in policy.provenance.items() if key in left},
        annotations={key: value for key, value in policy.annotations.items() if key in left},
    )
