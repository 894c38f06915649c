"""Every verdict is taken and recorded here, and nothing is allowed that could not be recorded."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from tappass_host.dataplane.egress.deadline import Deadline
from tappass_host.dataplane.egress.record import Record
from tappass_host.dataplane.egress.refusal import RefusedError
from tappass_host.dataplane.egress.rules import Rules, Verdict, canonical_target
from tappass_host.dataplane.egress.tls import Hello
from tappass_host.dataplane.egress.visit import Visit
from tappass_host.policy.grammar.addresses import canonical_ip
from tappass_host.policy.times import parse_instant
from tappass_host.sdk.configs.egress import EgressConfig

Resolver = Callable[[str], Awaitable[Sequence[str]]]
DeadlineMaker = Callable[[int], Deadline]
_MAX_DIALLED = 4


async def system_resolver(host: str) -> Sequence[str]:
    """All TCP addresses of a name, as the host's resolver orders them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Gate:
    """Holds the policy in force.

    Args:
        config: the first configuration.
        record: called with every verdict before it takes effect.
        resolve: name to addresses, called once per request.
        deadline: makes the expiry of a policy; replaced in tests.
    """

    def __init__(
        self, config: EgressConfig, record: Record, resolve: Resolver, deadline: DeadlineMaker = Deadline
    ) -> None:
        self._record = record
        self._resolve = resolve
        self._make_deadline = deadline
        self._locked = ""
        self.config = config
        self._rules = Rules(config)
        self._deadline = self._deadline_of(config)

    def load(self, config: EgressConfig) -> None:
        """Put another configuration in force. The expiry of a policy already known is not computed anew."""
        rules = Rules(config)
        if config.policy != self.config.policy:
            self._deadline = self._deadline_of(config)
        self._rules = rules
        self.config = config
        self._locked = ""

    def lock_down(self, why: str) -> None:
        """Deny everything until the next `load`."""
        self._locked = why

    def label(self) -> str:
        """How denial texts name the policy."""
        return f"{self.config.policy.version} ({self.config.policy.digest[:19]})"

    def closed(self) -> Verdict | None:
        """Why nothing at all is allowed just now."""
        if self._locked:
            return Verdict(allowed=False, rule="", why=self._locked)
        if self._deadline.over():
            expires = self.config.policy.expires_at
            return Verdict(allowed=False, rule=f"head.expires_at[{expires}]", why=f"it expired at {expires}")
        return None

    async def admit(self, visit: Visit, host: str, port: int) -> Sequence[str]:
        """Judge a destination and give the addresses that may be connected to, all of them checked.

        Raises:
            RefusedError: denied, unresolvable, or the verdict could not be recorded.
        """
        self._name(visit, host, port)
        verdict = self.closed() or self._rules.judge(visit.host, port)
        visit.opaque = verdict.opaque
        noted = self._settle(visit, verdict)
        addresses = await self._addresses(visit)
        self._raise_closed()
        if visit.client.transport.is_closing():  # cut by a reload while we were waiting
            raise ConnectionResetError("the client is gone")
        for address in addresses:
            against = self._rules.judge_address(address)
            if against:
                visit.address = address
                noted |= self._settle(visit, against)
        visit.address = visit.address or addresses[0]
        if not noted:
            self.note(visit, "allow", verdict.rule, verdict.why)
        return addresses[:_MAX_DIALLED]

    def check_hello(self, visit: Visit, hello: Hello) -> None:
        """Compare the ClientHello with what was admitted.

        Raises:
            RefusedError: it names another host, none, several, or hides the name.
        """
        self._raise_closed()
        against = self._rules.judge_hello(visit.host, hello)
        if against:
            self._settle(visit, against)

    def tolerate(self, visit: Visit, error: RefusedError) -> None:
        """Record a refusal and go on if only observing.

        Raises:
            RefusedError: the same, unless observing.
        """
        self._settle(visit, Verdict(allowed=False, rule=error.rule, why=error.why))

    def still_allows(self, visit: Visit) -> bool:
        """Judge an open connection again; one that named no host yet, or was denied, is not judged."""
        if not visit.host or visit.over:
            return True
        if self.closed():
            return False
        if self.config.mode == "observe":
            return True
        verdict = self._rules.judge(visit.host, visit.port)
        against = self._rules.judge_address(visit.address) if visit.address else None
        return verdict.allowed and against is None and verdict.opaque >= visit.opaque

    def note(self, visit: Visit, verdict: str, rule: str, why: str) -> None:
        """Record one verdict.

        Raises:
            RefusedError: the record could not be written.
        """
        event: dict[str, object] = {
            "event": "egress",
            "request": visit.request,
            "sandbox": self.config.sandbox,
            "policy": {"version": self.config.policy.version, "digest": self.config.policy.digest},
            "mode": self.config.mode,
            "kind": visit.kind,
            "host": visit.host,
            "port": visit.port,
            "address": visit.address,
            "verdict": verdict,
            "rule": rule,
            "why": why,
        }
        try:
            self._record(event)
        except Exception as error:
            raise RefusedError("the verdict could not be recorded", status=503) from error

    def _deadline_of(self, config: EgressConfig) -> Deadline:
        return self._make_deadline(parse_instant(config.policy.expires_at))

    def _raise_closed(self) -> None:
        if verdict := self.closed():
            raise RefusedError(verdict.why, rule=verdict.rule)

    def _name(self, visit: Visit, host: str, port: int) -> None:
        canonical = canonical_target(host)
        if canonical is None:
            raise RefusedError("neither a host name nor an address", status=400)
        visit.host = canonical
        visit.port = port

    def _settle(self, visit: Visit, verdict: Verdict) -> bool:
        """Let an allow pass; raise a deny, or record it when only observing. True: recorded."""
        if verdict.allowed:
            return False
        if self.config.mode == "enforce" or self.closed():
            raise RefusedError(verdict.why, rule=verdict.rule)
        self.note(visit, "observe", verdict.rule, verdict.why)
        return True

    async def _addresses(self, visit: Visit) -> Sequence[str]:
        if canonical_ip(visit.host) is not None:
            return [visit.host]
        try:
            addresses = await self._resolve(visit.host)
        except (OSError, UnicodeError):
            addresses = ()
        if not addresses:
            raise RefusedError("the name does not resolve", status=502)
        return addresses
