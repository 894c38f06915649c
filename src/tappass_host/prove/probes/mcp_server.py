"""A stdio MCP server for proofs: it offers the tools it is told and answers each call with its name.

It is written to a file behind a line `TOOLS = [...]`, and stands where the policy says that the real server
is. Standard library only; the protocol is JSON-RPC, one message a line.
"""

import json
import sys
from typing import Any

TOOLS: list[str] = globals().get("TOOLS", [])


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The result of one request."""
    if method == "initialize":
        server = {"name": "proof", "version": "1"}
        version = params.get("protocolVersion", "2025-06-18")
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server}
    if method == "tools/list":
        schema = {"type": "object", "additionalProperties": True}
        return {"tools": [{"name": name, "description": name, "inputSchema": schema} for name in TOOLS]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": f"mcp-{params['name']}"}]}
    return {}


def main() -> None:
    """Answer requests until the input ends; notifications have no id and get no answer."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            result = answer(message.get("method", ""), message.get("params") or {})
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + "\n")
            sys.stdout.flush()


main()
