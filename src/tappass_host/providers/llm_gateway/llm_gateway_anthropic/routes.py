"""The ways into Anthropic's Messages API, by the policy's names for them.

Read from platform.claude.com/docs/en/api/overview on 2026-11-23. What is in neither table is refused.
"""

from typing import Final, NamedTuple


class Route(NamedTuple):
    """One method and path; `*` stands for one segment."""

    route: str
    method: str
    path: str


# Served for every model that may be asked.
BASIC: Final = (
    Route("messages", "POST", "/v1/messages"),
    Route("count_tokens", "POST", "/v1/messages/count_tokens"),
    Route("models", "GET", "/v1/models"),
    Route("models", "GET", "/v1/models/*"),
)
# Work that is billed later or elsewhere: only where the policy lists it.
FURTHER: Final = (
    Route("batches", "POST", "/v1/messages/batches"),
    Route("batches", "GET", "/v1/messages/batches"),
    Route("batches", "GET", "/v1/messages/batches/*"),
    Route("batches", "GET", "/v1/messages/batches/*/results"),
    Route("batches", "POST", "/v1/messages/batches/*/cancel"),
    Route("batches", "DELETE", "/v1/messages/batches/*"),
    Route("files", "POST", "/v1/files"),
    Route("files", "GET", "/v1/files"),
    Route("files", "GET", "/v1/files/*"),
    Route("files", "GET", "/v1/files/*/content"),
    Route("files", "DELETE", "/v1/files/*"),
)
