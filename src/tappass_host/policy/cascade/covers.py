"""`a` covers `b`: whatever the entry `b` permits, `a` is proven to permit too. One row for each list."""

from collections.abc import Callable

Covers = Callable[[str, str], bool]


def same(a: str, b: str) -> bool:
    """Names that stand for themselves."""
    return a == b


def domain(a: str, b: str) -> bool:
    """Domain rules, read as allows."""
    from tappass_host.policy.grammar.domains import parse_domain

    return parse_domain(a).covers(parse_domain(b))


def cidr(a: str, b: str) -> bool:
    """Address ranges."""
    from tappass_host.policy.grammar.addresses import parse_cidr

    return parse_cidr(a).covers(parse_cidr(b))


def path(a: str, b: str) -> bool:
    """Path rules."""
    from tappass_host.policy.grammar.paths import parse_path

    return parse_path(a).covers(parse_path(b))


def tool(a: str, b: str) -> bool:
    """Tool rules."""
    from tappass_host.policy.grammar.tools import parse_tool

    return parse_tool(a).covers(parse_tool(b))


def module(a: str, b: str) -> bool:
    """Modules: a package stands for all below it."""
    return a == b or b.startswith(a + ".")


def model(a: str, b: str) -> bool:
    """Model names, where a final star stands for any rest."""
    return b.removesuffix("*").startswith(a[:-1]) if a.endswith("*") else a == b


ALLOW_LISTS: dict[str, Covers] = {
    "network.allow_domains": domain,
    "network.allow_cidrs": cidr,
    "network.allow_unix": same,
    "tools.allow": tool,
    "mcp.servers.tools.allow": same,
    "mcp.servers.resources.allow": same,
    "mcp.servers.prompts.allow": same,
    "mcp.servers.features": same,
    "interpreter.host_functions": same,
    "interpreter.allow_imports": module,
    "interpreter.env": same,
    "data.sources.views.columns": same,
    "llm.models.allow": model,
    "llm.routes": same,
    "params.under": path,
}
