"""Anthropic Messages, streamed and plain, with token counts and the list of models.

Wire format: https://docs.claude.com/en/api/messages-streaming (2026-11).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tappass_host.prove.llm.script import Reply, ToolResult, Turn, flat_text

PATHS: tuple[str, ...] = ("/v1/messages",)
_USAGE = {
    "input_tokens": 1,
    "output_tokens": 1,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
}


def results(body: dict[str, Any]) -> list[ToolResult]:
    """The tool_result blocks of all user messages."""
    found = []
    for message in body.get("messages", []):
        for block in message["content"] if isinstance(message.get("content"), list) else []:
            if block.get("type") == "tool_result":
                text, wrong = flat_text(block.get("content")), bool(block.get("is_error"))
                found.append(ToolResult(block["tool_use_id"], text, wrong))
    return found


def tools(body: dict[str, Any]) -> list[str]:
    """Names of the offered tools."""
    return [tool["name"] for tool in body.get("tools", [])]


def reply(body: dict[str, Any], turn: Turn) -> Reply:
    """The assistant message of this turn."""
    message = {
        "id": f"msg_{turn.number:04d}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "scripted"),
        "stop_sequence": None,
        "usage": _USAGE,
    }
    stop = "tool_use" if turn.call else "end_turn"
    if not body.get("stream"):
        return Reply(document={**message, "content": [_block(turn)], "stop_reason": stop})
    start = {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    delta = {"stop_reason": stop, "stop_sequence": None}
    end = {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}}
    documents: list[dict[str, Any]] = [start, *_block_events(turn), end, {"type": "message_stop"}]
    return Reply(events=[(str(d["type"]), d) for d in documents])


def _count_tokens(body: dict[str, Any]) -> dict[str, Any]:
    return {"input_tokens": max(1, len(json.dumps(body)) // 4)}


SIDE: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"/v1/messages/count_tokens": _count_tokens}


def _block(turn: Turn) -> dict[str, Any]:
    if turn.call is None:
        return {"type": "text", "text": turn.text}
    return {"type": "tool_use", "id": turn.call_id, "name": turn.call.name, "input": turn.call.input}


def _block_events(turn: Turn) -> list[dict[str, Any]]:
    block = _block(turn)
    if turn.call is None:
        empty, delta = {**block, "text": ""}, {"type": "text_delta", "text": turn.text}
    else:
        partial = json.dumps(turn.call.input)
        empty, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": partial}
    return [
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
    ]
