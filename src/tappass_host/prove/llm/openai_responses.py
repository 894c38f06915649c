"""OpenAI Responses, streamed and plain.

Wire format: https://platform.openai.com/docs/api-reference/responses-streaming (2026-11).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tappass_host.prove.llm.script import Reply, ToolResult, Turn, flat_text

PATHS: tuple[str, ...] = ("/v1/responses", "/responses")
SIDE: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
_DETAILS: dict[str, Any] = {"input_tokens_details": None, "output_tokens_details": None}
_USAGE = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, **_DETAILS}


def results(body: dict[str, Any]) -> list[ToolResult]:
    """The outputs of function and custom tool calls. The dialect has no error mark."""
    items = body.get("input")
    return [
        ToolResult(item["call_id"], flat_text(item.get("output")), is_error=False)
        for item in (items if isinstance(items, list) else [])
        if str(item.get("type", "")).endswith("_call_output")
    ]


def tools(body: dict[str, Any]) -> list[str]:
    """Names of the offered tools; a namespace's members as `namespace__name`."""
    found: list[str] = []
    for tool in body.get("tools", []):
        members = tool.get("tools", []) if tool.get("type") == "namespace" else []
        found += [f"{tool['name']}__{member['name']}" for member in members]
        found += [] if members else [tool.get("name") or tool["type"]]
    return found


def reply(body: dict[str, Any], turn: Turn) -> Reply:
    """The response of this turn: one item, then completion."""
    item, response_id = _item(turn), f"resp_{turn.number:04d}"
    whole = {
        "id": response_id,
        "object": "response",
        "status": "completed",
        "model": body.get("model", "scripted"),
        "output": [item],
        "usage": _USAGE,
    }
    if not body.get("stream"):
        return Reply(document=whole)
    documents: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return Reply(events=[(str(d["type"]), d) for d in documents])


def _item(turn: Turn) -> dict[str, Any]:
    if turn.call is None:
        text = {"type": "output_text", "text": turn.text, "annotations": []}
        return {
            "type": "message",
            "id": f"msg_{turn.number:04d}",
            "role": "assistant",
            "status": "completed",
            "content": [text],
        }
    call = {
        "type": "function_call",
        "id": f"fc_{turn.number:04d}",
        "call_id": turn.call_id,
        "status": "completed",
    }
    named = {"name": turn.call.name, "arguments": json.dumps(turn.call.input)}
    return {**call, **named, **({"namespace": turn.call.namespace} if turn.call.namespace else {})}
