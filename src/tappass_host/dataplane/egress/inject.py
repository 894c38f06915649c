"""Credentials by reference: headers set on plain HTTP requests to the domains a secret may go to.

A tunnel cannot be touched without breaking its TLS, so nothing is injected there.
"""

from collections.abc import Callable

from tappass_host.policy.grammar.domains import DomainRule, parse_domain
from tappass_host.sdk.configs.egress import Injection


class Injections:
    """Values are fetched once, at load: a secret that is missing refuses the configuration.

    Args:
        entries: the configuration's `inject`.
        secret: value behind a reference.

    Raises:
        SchemaError: a reference cannot be resolved.
    """

    def __init__(self, entries: tuple[Injection, ...], secret: Callable[[str], str]) -> None:
        self._entries: list[tuple[list[DomainRule], str, str]] = []
        for entry in entries:
            rules = [parse_domain(text) for text in entry.domains]
            self._entries.append((rules, entry.header.lower(), entry.prefix + secret(entry.ref)))

    def headers(self, host: str, port: int) -> list[tuple[str, str]]:
        """What to set on a request to a canonical host; the first entry of a header name wins."""
        found: dict[str, str] = {}
        for rules, name, value in self._entries:
            if any(rule.matches_allow(host, port) for rule in rules):
                found.setdefault(name, value)
        return list(found.items())
