"""Observe mode: the part of a policy that native files carry while nothing else is to be stopped yet.

What stays is self-protection and what the policy denies by name; every default is open. Our own components
have a mode of their own: they get the whole policy, let through what it denies, and record that.
"""

from typing import Final

import msgspec

from tappass_host.policy import model as m
from tappass_host.policy.effective import EffectivePolicy, FsIndex

REASON: Final = "observe"
# Said of every managed network by itself; nobody denied it by name.
_IMPLIED: Final = frozenset({"network.other"})
# The level of what a Runtime adds.
_RUNTIME: Final = "runtime"


def observed(policy: EffectivePolicy) -> EffectivePolicy:
    """The policy reduced to what is still stopped."""
    doc = policy.doc
    reduced = msgspec.structs.replace(
        doc,
        network=_network(doc.network),
        filesystem=_filesystem(policy),
        tools=m.Tools(default="allow", unknown="allow", deny=doc.tools.deny) if doc.tools else None,
        mcp=m.Mcp(default="allow", servers=tuple(map(_server, doc.mcp.servers))) if doc.mcp else None,
        interpreter=_interpreter(doc.interpreter),
        llm=_llm(doc.llm),
        budget=None,
        process=None,
        credentials=msgspec.structs.replace(doc.credentials, default="allow") if doc.credentials else None,
    )
    return EffectivePolicy(reduced, digest=policy.digest, fs=_fs(policy, reduced))


def stopped(policy: EffectivePolicy) -> frozenset[str]:
    """Ids of the statements that hold in observe mode too."""
    return frozenset(observed(policy).by_id).intersection(policy.by_id) - _IMPLIED


def _network(node: m.Network | None) -> m.Network | None:
    if node is None:
        return None
    return m.Network(
        default="allow",
        local="allow",
        deny_domains=node.deny_domains,
        deny_categories=node.deny_categories,
        category_domains=node.category_domains,
    )


def _filesystem(policy: EffectivePolicy) -> m.Filesystem | None:
    node = policy.doc.filesystem
    if node is None:
        return None
    kept = _protected(policy)
    entries = tuple(e for e in node.read_only if f"filesystem.read_only[{e}]" in kept)
    return m.Filesystem(default="allow", read_only=entries, deny_paths=node.deny_paths)


def _fs(policy: EffectivePolicy, reduced: m.Policy) -> FsIndex | None:
    """The rules that stay, anchored where they were: an open default alone would hang them from `/`."""
    if reduced.filesystem is None:
        return None
    kept = _protected(policy)
    grants = tuple(g for g in policy.fs.grants if g.access == "read" and g.statement in kept)
    return FsIndex("allow", policy.fs.roots, grants, policy.fs.denies)


def _protected(policy: EffectivePolicy) -> frozenset[str]:
    return frozenset(key for key, said in policy.doc.provenance.items() if said.level == _RUNTIME)


def _server(server: m.McpServer) -> m.McpServer:
    return m.McpServer(
        id=server.id,
        transport=server.transport,
        auth_ref=server.auth_ref,
        features=server.features,
        tools=m.McpRules(default="allow", deny=server.tools.deny),
        resources=m.McpNames(default="allow", deny=server.resources.deny),
        prompts=m.McpNames(default="allow", deny=server.prompts.deny),
    )


def _interpreter(node: m.Interpreter | None) -> m.Interpreter | None:
    if node is None:
        return None
    return msgspec.structs.replace(
        node, default="allow", allow_imports=(), network="allowlist", memory_mb=None, cpu_time_ms=None
    )


def _llm(node: m.Llm | None) -> m.Llm | None:
    if node is None:
        return None
    return m.Llm(
        default="allow",
        models=m.Models(deny=node.models.deny),
        prices=node.prices,
        upstreams=node.upstreams,
    )
