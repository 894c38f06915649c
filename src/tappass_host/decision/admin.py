"""What people can ask and answer on the admin socket. Each answer is recorded before it counts."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from tappass_host.audit.events import Approval, Tainted
from tappass_host.audit.record import instant
from tappass_host.decision.asks import Ask
from tappass_host.decision.decider import Append, Decider
from tappass_host.decision.payload import canonical
from tappass_host.decision.peers import Peer
from tappass_host.decision.state import Grant
from tappass_host.policy.decode import convert
from tappass_host.policy.errors import AuditError, PolicyError
from tappass_host.sdk.denial import ascii_only, shorten

_ARGS_SHOWN: Final = 20_000


class Yes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/approve`: once (no `seconds`), or for so long."""

    id: str
    seconds: int = 0


class No(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/deny`: a call that waits, or a yes that is taken back."""

    id: str


class Clean(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/untaint`."""

    label: str


class AdminDesk:
    """The verbs, by path."""

    def __init__(self, decider: Decider, append: Append) -> None:
        self._decider, self._append = decider, append
        self.reads: dict[str, Callable[[], dict[str, Any]]] = {
            "/v1/asks": self.asks,
            "/v1/status": self.status,
        }
        self.writes: dict[str, Callable[[dict[str, Any], Peer], dict[str, Any]]] = {
            "/v1/approve": self.approve,
            "/v1/deny": self.deny,
            "/v1/untaint": self.untaint,
        }

    def asks(self) -> dict[str, Any]:
        """What waits for an answer, or waited in vain."""
        return {"asks": [self._shown(ask) for ask in self._decider.asks.listed()]}

    def status(self) -> dict[str, Any]:
        """What is in force."""
        config, now = self._decider.config, self._decider.clock.now()
        closed = self._decider.closed()
        return {
            "sandbox": config.sandbox,
            "policy": {"name": config.name, **msgspec.to_builtins(config.policy)},
            "mode": config.mode,
            "closed": closed.reason if closed else "",
            "tainted": sorted(self._decider.state.labels(config.sandbox)),
            "grants": [
                {"id": g.request, "what": g.what, "once": g.once, "until": instant(g.until)}
                for g in self._decider.state.grants(now)
            ],
        }

    def approve(self, body: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """Say yes to a call."""
        yes = convert(body, Yes)
        approvals, now = self._decider.config.approvals, self._decider.clock.latest()
        if not 0 <= yes.seconds <= approvals.longest_s:
            raise PolicyError(f"an answer holds for 1 to {approvals.longest_s} seconds")
        ask = self._decider.asks.find(yes.id)
        until = now + (yes.seconds or approvals.once_s)
        self._recorded("for" if yes.seconds else "once", ask, peer, instant(until))
        with self._decider.state.transaction():
            self._decider.state.grant(Grant(ask.binding, not yes.seconds, until, ask.request, ask.what))
        self._decider.asks.resolve(ask, "for" if yes.seconds else "once")
        return {"id": ask.request, "until": instant(until), "once": not yes.seconds}

    def deny(self, body: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """Say no to a call that waits, and take back what was said before."""
        no = convert(body, No)
        with self._decider.state.transaction():
            revoked = self._decider.state.revoke(no.id)
        if revoked:
            event = Approval(request=no.id, answer="deny", binding="", uid=peer.uid, pid=peer.pid)
            self._append(event)
            return {"id": no.id, "revoked": True}
        ask = self._decider.asks.find(no.id)
        self._decider.asks.resolve(ask, "deny")
        self._recorded("deny", ask, peer, "")
        return {"id": ask.request, "revoked": False}

    def untaint(self, body: dict[str, Any], peer: Peer) -> dict[str, Any]:
        """Declare a label clean, here and on files."""
        label = convert(body, Clean).label
        sandbox = self._decider.config.sandbox
        by = f"uid {peer.uid}"
        if self._append(Tainted(request="", sandbox=sandbox, label=label, by=by, cleared=True)) is None:
            raise AuditError("too many events")
        with self._decider.state.transaction():
            return {"label": label, "cleared": self._decider.state.clear(sandbox, label)}

    def _recorded(self, answer: str, ask: Ask, peer: Peer, until: str) -> None:
        self._append(
            Approval(
                request=ask.request,
                answer=answer,  # type: ignore[arg-type]
                binding=ask.binding,
                until=until,
                uid=peer.uid,
                pid=peer.pid,
            )
        )

    def _shown(self, ask: Ask) -> dict[str, Any]:
        """Everything an agent wrote in ASCII: no character may look like another where a person decides."""
        return {
            "id": ask.request,
            "sandbox": self._decider.config.sandbox,
            "tool": ask.tool,
            "what": ask.what,
            "args": shorten(ascii_only(canonical(ask.args)), _ARGS_SHOWN),
            "statement": ask.statement,
            "reason": ascii_only(ask.reason),
            "created": instant(ask.created),
            "expires": instant(ask.expires),
            "waiting": ask.waiting,
            "binding": ask.binding,
        }
