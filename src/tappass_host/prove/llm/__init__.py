"""A scripted model: real harnesses are driven offline by a server that says what we wrote down."""

from tappass_host.prove.llm.script import ToolCall, ToolResult
from tappass_host.prove.llm.server import Request, ScriptedLLM

__all__ = ["Request", "ScriptedLLM", "ToolCall", "ToolResult"]
