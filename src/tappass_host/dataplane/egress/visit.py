"""One client connection and what became of it: the unit of verdict, audit and cutting."""

import os

from tappass_host.dataplane.egress.channel import Channel
from tappass_host.dataplane.egress.refusal import Subject


class Visit:
    """Lives from accept until both of its connections are gone.

    Args:
        client: the sandbox's side.
        trusted: the listener itself tells who the client is (unix socket); else a token is needed.
        policy: how denial texts name the policy.
    """

    __slots__ = (
        "address", "client", "host", "kind", "opaque", "over", "policy", "port",
        "request", "started", "trusted", "upstream",
    )  # fmt: skip

    def __init__(self, client: Channel, policy: str, *, trusted: bool) -> None:
        self.client = client
        self.trusted = trusted
        self.policy = policy
        self.request = os.urandom(8).hex()
        self.kind = "accept"
        self.host = ""
        self.port = 0
        self.address = ""
        self.opaque = False
        self.started = False  # bytes of an answer went out: an HTTP denial would no longer be read as one
        self.over = False  # denied: only its last words are still on their way
        self.upstream: Channel | None = None

    def subject(self) -> Subject:
        what = f"{self.kind} {self.host}:{self.port}" if self.host else self.kind
        return Subject(self.request, what, self.policy)

    def seen(self) -> float:
        """When anything last arrived, on the loop's clock."""
        return max(self.client.seen, self.upstream.seen if self.upstream else 0)

    def abort(self) -> None:
        self.client.abort()
        if self.upstream:
            self.upstream.abort()
