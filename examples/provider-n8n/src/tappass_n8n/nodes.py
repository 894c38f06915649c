"""Which nodes n8n loads: NODES_INCLUDE and NODES_EXCLUDE, and what a policy's tool names stand for.

Node types are those of docs.n8n.io/integrations/builtin (read 2026-11-23). A tool that is no canonical one is
a node type itself: `n8n-nodes-base.slack`. Types of the LangChain package are written without their scope,
because a tool name holds no `@`: `n8n-nodes-langchain.toolCalculator`. A node on both lists is not loaded.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.tools import ToolRule
from tappass_host.sdk.claims import Item
from tappass_host.sdk.lowering import ToolFeatures, lower_closed, lower_tools

BASE: Final = "n8n-nodes-base."
LANGCHAIN: Final = "n8n-nodes-langchain."
# Canonical tool -> nodes that do it. A node that does two things stands at both.
TOOLS: Final[dict[str, tuple[str, ...]]] = {
    "Bash": ("n8n-nodes-base.executeCommand",),
    "Read": ("n8n-nodes-base.readWriteFile",),
    "Write": ("n8n-nodes-base.readWriteFile",),
    "WebFetch": ("@n8n/n8n-nodes-langchain.toolHttpRequest", "n8n-nodes-base.httpRequest"),
    "WebSearch": ("@n8n/n8n-nodes-langchain.toolSearXng", "@n8n/n8n-nodes-langchain.toolSerpApi"),
    "Task": ("@n8n/n8n-nodes-langchain.toolWorkflow", "n8n-nodes-base.executeWorkflow"),
}
MCP: Final = ("@n8n/n8n-nodes-langchain.mcpClient", "@n8n/n8n-nodes-langchain.mcpClientTool")
# What n8n 2 does not load by itself (docs.n8n.io/release-notes/v20-breaking-changes, read 2026-11-23).
EXCLUDED: Final = ("n8n-nodes-base.executeCommand", "n8n-nodes-base.localFileTrigger")
# Nodes that start a workflow, or move data about within one, and touch nothing outside it.
FLOW: Final = tuple(
    BASE + name
    for name in (
        *("aggregate", "dateTime", "errorTrigger", "executeWorkflowTrigger", "filter", "form", "formTrigger"),
        *("if", "limit", "manualTrigger", "merge", "noOp", "removeDuplicates", "respondToWebhook"),
        *("scheduleTrigger", "set", "sort", "splitInBatches", "splitOut", "stopAndError", "summarize"),
        *("switch", "wait", "webhook"),
    )
)
# An agent and what it is made of. Which model it asks is for a gateway to hold.
AGENT: Final = tuple(
    f"@n8n/{LANGCHAIN}{name}"
    for name in (
        *("agent", "chainLlm", "chatTrigger", "lmChatAnthropic", "lmChatOpenAi"),
        *("memoryBufferWindow", "outputParserStructured"),
    )
)

FEATURES: Final = ToolFeatures(
    defaults=frozenset({"allow", "deny"}),
    unknown=frozenset({"allow", "deny"}),
    ask=False,
    specs=frozenset(),
    met=False,
    why="a node is loaded or not, whatever its arguments",
)
NO_MCP: Final = "its MCP nodes are loaded or not, not server by server"
ListName = Literal["include", "exclude"]


class Load(NamedTuple):
    """The value of an item: nodes to put on a list; `closed` if what is on no list is not loaded."""

    list: ListName
    nodes: tuple[str, ...] = ()
    closed: bool = False


def nodes_of(tool: str) -> tuple[str, ...]:
    """The node types behind a tool name; none for a group, and for a name that no node type can have."""
    if tool in TOOLS:
        return TOOLS[tool]
    if tool.startswith(LANGCHAIN):
        return (f"@n8n/{tool}",)
    return (tool,) if "." in tool else ()


def lists(policy: EffectivePolicy) -> tuple[ListName, ...]:
    """The lists that are needed: without an `include` list n8n loads all that it has."""
    return ("include", "exclude") if _closed(policy) else ("exclude",)


def always(policy: EffectivePolicy) -> Iterator[tuple[ListName, str, str]]:
    """Nodes that stand on a list for no statement, with the reason."""
    if policy.doc.tools is None:
        yield from (("exclude", node, "not loaded by n8n itself") for node in EXCLUDED)
    if _closed(policy):
        yield from (("include", node, "moves data about within a workflow") for node in FLOW)
        yield from (("include", node, "asks a model; a gateway holds which") for node in AGENT)
        yield from (("include", node, "mcp is unmanaged") for node in (() if policy.doc.mcp else MCP))


def items(policy: EffectivePolicy) -> Iterator[Item]:
    """Items of tools and mcp, each with a `Load`; nothing of an aspect that is unmanaged."""
    for item in lower_closed(policy, "mcp", NO_MCP):
        yield item._replace(value=Load("exclude", MCP))
    found = lower_tools(policy, FEATURES)
    rules = [(i.op, i.value.name) for i in found if isinstance(i.value, ToolRule) and not i.refused]
    granted = {n for op, n in rules if op == "allow"} - {n for op, n in rules if op == "deny"}
    yield from (_spelled(item, granted, _closed(policy)) for item in found)


def _closed(policy: EffectivePolicy) -> bool:
    return policy.doc.tools is not None and policy.doc.tools.unknown != "allow"


def _spelled(item: Item, granted: set[str], closed: bool) -> Item:
    main: ListName = "include" if closed else "exclude"
    match item.op, item.value:
        case "allow", ToolRule(name=name):
            nodes = nodes_of(name) if closed else ()
            return item._replace(value=Load(main, nodes), refused=item.refused or _unfit(name, granted))
        case "deny", ToolRule(name=name):
            nodes = nodes_of(name) or (() if name.startswith("@") else (name,))
            also = any(set(nodes) & set(other) for tool, other in TOOLS.items() if tool != name)
            return item._replace(value=Load("exclude", nodes), fidelity="stricter" if also else item.fidelity)
    return item._replace(value=Load(main, closed=closed))


def _unfit(name: str, granted: set[str]) -> str:
    """Why a tool that is granted is not loaded all the same."""
    if name.startswith("@"):
        return ""
    nodes = set(nodes_of(name))
    if not nodes:
        return f"n8n has no node {name}"
    others = sorted(t for t, n in TOOLS.items() if t != name and nodes & set(n) and t not in granted)
    return f"the node that does it also does {', '.join(others)}" if others else ""
