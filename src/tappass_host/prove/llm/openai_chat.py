"""OpenAI chat.completions, streamed and plain.

Wire format: https://platform.openai.com/docs/api-reference/chat (2026-11).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tappass_host.prove.llm.script import Reply, ToolResult, Turn, flat_text

PATHS: tuple[str, ...] = ("/v1/chat/completions", "/chat/completions")
SIDE: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def results(body: dict[str, Any]) -> list[ToolResult]:
    """The tool messages. The dialect has no error mark."""
    return [
        ToolResult(message.get("tool_call_id", ""), flat_text(message.get("content")), is_error=False)
        for message in body.get("messages", [])
        if message.get("role") == "tool"
    ]


def tools(body: dict[str, Any]) -> list[str]:
    """Names of the offered functions."""
    return [tool["function"]["name"] for tool in body.get("tools", []) if tool.get("type") == "function"]


def reply(body: dict[str, Any], turn: Turn) -> Reply:
    """The choice of this turn."""
    head = {"id": f"chatcmpl-{turn.number:04d}", "created": 0, "model": body.get("model", "scripted")}
    stop = "tool_calls" if turn.call else "stop"
    message = _message(turn)
    if not body.get("stream"):
        choice = {"index": 0, "message": message, "finish_reason": stop}
        return Reply(document={**head, "object": "chat.completion", "choices": [choice], "usage": _USAGE})
    calls = [{"index": 0, **call} for call in message.get("tool_calls", [])]
    delta = {**message, "tool_calls": calls} if calls else message
    chunk = {**head, "object": "chat.completion.chunk"}
    chunks = [
        {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": stop}]},
        {**chunk, "choices": [], "usage": _USAGE},
    ]
    return Reply(events=[*(("", c) for c in chunks), ("", "[DONE]")])


def _message(turn: Turn) -> dict[str, Any]:
    if turn.call is None:
        return {"role": "assistant", "content": turn.text}
    function = {"name": turn.call.name, "arguments": json.dumps(turn.call.input)}
    call = {"id": turn.call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}
