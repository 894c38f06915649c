"""Credentials by reference, put into plain HTTP requests to the domains a secret may go to.

A tunnel cannot be touched without breaking its TLS, so nothing is injected there.
"""

from collections.abc import Callable
from typing import NamedTuple

from tappass_host.dataplane.egress.http1 import Headers
from tappass_host.policy.grammar.domains import DomainRule, parse_domain
from tappass_host.sdk.configs.egress import Injection


class _Secret(NamedTuple):
    entry: Injection
    rules: list[DomainRule]
    value: str

    def meant_for(self, host: str, port: int) -> bool:
        return any(rule.matches_allow(host, port) for rule in self.rules)

    def put(self, headers: Headers) -> Headers:
        """The headers with this secret in them."""
        entry, name = self.entry, self.entry.header.lower()
        if entry.placeholder:
            headers = [(key, text.replace(entry.placeholder, self.value)) for key, text in headers]
        if name:
            headers = [(key, text) for key, text in headers if key != name]
            headers.append((name, entry.prefix + self.value))
        return headers


class Injections:
    """Values are fetched once, at load: a secret that is missing refuses the configuration.

    Args:
        entries: the configuration's `inject`.
        secret: value behind a reference.

    Raises:
        SchemaError: a reference cannot be resolved.
    """

    def __init__(self, entries: tuple[Injection, ...], secret: Callable[[str], str]) -> None:
        self._secrets = [
            _Secret(entry, [parse_domain(text) for text in entry.domains], secret(entry.ref))
            for entry in entries
        ]

    def put(self, headers: Headers, host: str, port: int) -> tuple[Headers, list[str]]:
        """The headers of a request to a canonical host with their secrets, and the names of those used."""
        used = []
        for one in self._secrets:
            if one.meant_for(host, port) and (changed := one.put(headers)) != headers:
                headers = changed
                used.append(one.entry.env)
        return headers, used
