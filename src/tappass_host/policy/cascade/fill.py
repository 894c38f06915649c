"""What was left unsaid in a managed aspect is the strictest word, and from then on stands as if said.

Without this a level below could say `default: allow` where the level above just said nothing.
"""

from tappass_host.policy.cascade.rules import ORDERS
from tappass_host.policy.shape import Fields, Shape, Table, policy_shape
from tappass_host.policy.tree import Entry, Section, Tree

_ALWAYS = ("mode", "on_expiry")


def fill(root: Section) -> Section:
    """The same, with every unsaid word of what is managed written out."""
    filled: Section = _fill(policy_shape(), "", root)  # type: ignore[assignment]
    for name in _ALWAYS:
        filled.members.setdefault(name, _unsaid(root, ORDERS[name][0]))
    return filled


def _fill(shape: Shape, field: str, tree: Tree) -> Tree:
    if not isinstance(tree, Section) or tree.partial:
        return tree
    if isinstance(shape, Table):
        rows = {key: _fill(shape.row, field, row) for key, row in tree.members.items()}
        return Section(tree.said, rows)
    assert isinstance(shape, Fields)
    result = Section(tree.said, dict(tree.members))
    for name, inner in shape.fields.items():
        at = f"{field}.{name}" if field else name
        member = tree.members.get(name)
        if member is None and at in _GROUPS:
            member = Section(_unsaid(tree))
        if member is not None:
            # A rule that was moved here says nothing about the rest of a group; the row it narrows does.
            result.members[name] = _fill(inner, at, _whole(member) if at in _GROUPS else member)
        elif at in ORDERS and field:
            result.members[name] = _unsaid(tree, ORDERS[at][0])
    return result


def _unsaid(around: Section, word: str | None = None) -> Entry:
    """A word that follows from what is around it; what was noted there is not about this word."""
    return Entry(word, around.said.source, around.said.level, soft=around.said.soft)


# Present in every MCP server, said or not.
_GROUPS = ("mcp.servers.tools", "mcp.servers.resources", "mcp.servers.prompts")


def _whole(member: Tree) -> Tree:
    assert isinstance(member, Section)
    return Section(member.said, member.members)
