"""A tiny MCP server over stdio with two tools; it leaves a mark when it starts."""

import json
import os
import sys
from pathlib import Path

NAME = sys.argv[1]
TOOLS = [{"name": name, "description": name, "inputSchema": {"type": "object"}} for name in ("good", "evil")]


def answer(method, params):
    if method == "initialize":
        about = {"name": NAME, "version": "1"}
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": about,
        }
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": f"{NAME} {params['name']}"}]}
    return {}


Path(os.environ["MARK"], NAME).touch()
for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        result = answer(request["method"], request.get("params", {}))
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}) + "\n")
        sys.stdout.flush()
