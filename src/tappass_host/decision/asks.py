"""Calls that wait for a person, and calls that waited in vain and may still be answered for the next try."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from tappass_host.policy.errors import PolicyError

Answer = Literal["once", "for", "deny"]
_REMEMBERED: Final = 64


class Ask(NamedTuple):
    """One question to a person.

    Attributes:
        what: the call in a few words, escaped.
        args: as the harness sent them, for who wants to look.
        binding: what a yes would hold for.
        expires: Unix seconds.
        future: resolved with the answer.
    """

    request: str
    tool: str
    what: str
    args: dict[str, Any]
    statement: str
    reason: str
    binding: str
    created: float
    expires: float
    future: "asyncio.Future[Answer]"

    @property
    def waiting(self) -> bool:
        """Whether somebody still waits for the answer."""
        return not self.future.done()


class Asks:
    """All questions of one sandbox.

    Args:
        most: how many may wait at a time.
    """

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._most, self._now = most, now
        self._known: OrderedDict[str, Ask] = OrderedDict()

    def has_room(self) -> bool:
        """Whether another one may wait."""
        return sum(ask.waiting for ask in self._known.values()) < self._most

    def add(self, ask: Ask) -> None:
        """Remember a question; the oldest that nobody waits for is forgotten."""
        self._known[ask.request] = ask
        for request in [r for r, known in self._known.items() if not known.waiting]:
            if len(self._known) <= _REMEMBERED:
                break
            del self._known[request]

    def listed(self) -> list[Ask]:
        """What a person can answer, oldest first."""
        return list(self._known.values())

    def find(self, request: str) -> Ask:
        """The question of a request.

        Raises:
            PolicyError: there is none, or it was forgotten.
        """
        if request not in self._known:
            raise PolicyError(f"nobody asked {request}", remedy="see tappass-host approvals")
        return self._known[request]

    def resolve(self, ask: Ask, answer: Answer) -> None:
        """Let the call that waits go on, and forget the question."""
        self._known.pop(ask.request, None)
        if not ask.future.done():
            ask.future.set_result(answer)

    async def wait(self, ask: Ask) -> Answer | Literal["timeout"]:
        """Wait for the answer.

        Raises:
            asyncio.CancelledError: whoever asked is gone.
        """
        try:
            return await asyncio.wait_for(asyncio.shield(ask.future), ask.expires - self._now())
        except TimeoutError:
            return "timeout"
        finally:
            # Nobody waits any more: a late answer is for the next try.
            ask.future.cancel()
