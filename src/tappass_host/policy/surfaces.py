"""Which aspect is about which surface: the one table that coverage is joined over.

A surface is the path an action takes. `tool`: dispatched by the harness. `exec`: processes the agent
starts. `mcp`: what local MCP server processes do (an MCP *call* is `tool`). `code`: inside an
interpreter. `llm`: requests to a model. `self`: the harness process, its hooks and plugins.
"""

from typing import Final, Literal, get_args

Surface = Literal["tool", "exec", "mcp", "code", "llm", "self"]
SURFACES: Final[tuple[Surface, ...]] = get_args(Surface)

_EFFECTS_ON_THE_MACHINE: Final = ("tool", "exec", "mcp", "code", "self")
_PROCESSES: Final = ("exec", "mcp", "code", "self")

ASPECT_SURFACES: Final[dict[str, tuple[Surface, ...]]] = {
    "head": SURFACES,
    "network": _EFFECTS_ON_THE_MACHINE,
    "filesystem": _EFFECTS_ON_THE_MACHINE,
    "tools": ("tool",),
    "mcp": ("tool",),
    "interpreter": ("code",),
    "data": ("code",),
    "llm": ("llm",),
    "budget": ("llm",),
    "process": _PROCESSES,
    "credentials": _PROCESSES,
    "extensions": (),
}

# Constraints of host functions are tool statements that bite in code.
_ALSO: Final[dict[str, tuple[Surface, ...]]] = {"tools": ("code",)}

# The one field that is not on its aspect's surface: calls are counted where they are dispatched.
_FIELD_SURFACES: Final[dict[str, tuple[Surface, ...]]] = {"budget.tool_calls_per_minute": ("tool",)}


def surfaces_of(aspect: str, field: str) -> tuple[Surface, ...]:
    """The surfaces a statement of `field` (dotted path, no entries) is about."""
    return _FIELD_SURFACES.get(field, ASPECT_SURFACES[aspect])


def aspect_surfaces(aspect: str) -> tuple[Surface, ...]:
    """Every surface that some statement of an aspect is about; empty for an aspect that does not exist."""
    mine = {*ASPECT_SURFACES.get(aspect, ()), *_ALSO.get(aspect, ())}
    for field, surfaces in _FIELD_SURFACES.items():
        if field.partition(".")[0] == aspect:
            mine.update(surfaces)
    return tuple(surface for surface in SURFACES if surface in mine)
