"""Lowerings: from what a policy says to what a target of given features can be told, item by item.

Each is a pure function of the policy and the target's features. What a target cannot hold comes back refused,
what is true already comes back `under` the statement that makes it so, and nothing is left out.
"""

from tappass_host.sdk.lowering.closed import lower_closed
from tappass_host.sdk.lowering.fs import CREATED_LATER, FsEntry, FsFeatures, lower_fs
from tappass_host.sdk.lowering.limits import Limit, LimitFeatures, lower_limits
from tappass_host.sdk.lowering.llm import LlmFeatures, lower_llm
from tappass_host.sdk.lowering.mcp import McpFeatures, McpTool, lower_mcp
from tappass_host.sdk.lowering.net import NetFeatures, lower_net
from tappass_host.sdk.lowering.tools import ToolFeatures, lower_tools
from tappass_host.sdk.lowering.verbatim import Place, lower_verbatim

__all__ = [
    "CREATED_LATER",
    "FsEntry",
    "FsFeatures",
    "Limit",
    "LimitFeatures",
    "LlmFeatures",
    "McpFeatures",
    "McpTool",
    "NetFeatures",
    "Place",
    "ToolFeatures",
    "lower_closed",
    "lower_fs",
    "lower_limits",
    "lower_llm",
    "lower_mcp",
    "lower_net",
    "lower_tools",
    "lower_verbatim",
]
