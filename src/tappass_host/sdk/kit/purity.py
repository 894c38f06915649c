"""What the pure half of a provider may import and call, found by reading its source, never by running it."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

# Modules without I/O, clock, environment or randomness. A list of what is allowed fails closed.
_STANDARD: Final = frozenset(
    {
        "__future__",
        "abc",
        "base64",
        "binascii",
        "bisect",
        "collections",
        "copy",
        "dataclasses",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "html",
        "ipaddress",
        "itertools",
        "json",
        "math",
        "operator",
        "posixpath",
        "re",
        "shlex",
        "string",
        "struct",
        "textwrap",
        "types",
        "typing",
        "unicodedata",
        "urllib.parse",
        "xml.sax.saxutils",
    }
)
_PACKAGES: Final = frozenset({"idna", "msgspec", "re2", "tomli_w", "yaml"})
_OURS: Final = ("tappass_host.policy", "tappass_host.sdk")
_NOT_OURS: Final = ("tappass_host.sdk.kit",)
# Names that do I/O or run text as code, and the functions of allowed modules that ask the file system.
_CALLS: Final = frozenset(
    {"open", "exec", "eval", "compile", "input", "print", "breakpoint", "__import__", "id", "hash"}
)
_ATTRIBUTES: Final = frozenset(
    {"realpath", "abspath", "exists", "lexists", "expanduser", "expandvars", "file_digest", "import_module"}
)


def findings(provider: str, reader: str, extra: tuple[str, ...] = ()) -> Iterator[str]:
    """What is impure in two modules and in all modules of their package that they import."""
    package = provider.rpartition(".")[0]
    forbidden = {provider: f"{package}.target", reader: provider}
    for module in (provider, reader):
        for name in sorted(_closure(module, package)):
            yield from _module(name, package, extra)
            if name == forbidden[module]:
                yield f"{module} imports {name}, directly or through its own package"


def _closure(module: str, package: str) -> set[str]:
    """The module and every module of its package that it imports, at any depth."""
    found: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        if name not in found and (path := _source(name)) is not None:
            found.add(name)
            queue += [i for i, _ in _imports(name, path) if i == package or i.startswith(package + ".")]
    return found


def _source(module: str) -> Path | None:
    """The file of a module; None if the name is not a module but something within one."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None


def _module(name: str, package: str, extra: tuple[str, ...]) -> Iterator[str]:
    path = _source(name)
    assert path is not None
    for imported, line in _imports(name, path):
        if not _allowed(imported, package, extra):
            yield f"{name}:{line} imports {imported}"
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Name) and node.id in _CALLS:
            yield f"{name}:{node.lineno} uses {node.id}"
        if isinstance(node, ast.Attribute) and node.attr in _ATTRIBUTES:
            yield f"{name}:{node.lineno} uses .{node.attr}"


def _allowed(imported: str, package: str, extra: tuple[str, ...]) -> bool:
    def within(names: tuple[str, ...] | frozenset[str]) -> bool:
        return any(imported == n or imported.startswith(n + ".") for n in names)

    if within(_NOT_OURS):
        return False
    return within(_STANDARD) or within(_PACKAGES) or within(_OURS) or within((package, *extra))


def _imports(module: str, path: Path) -> Iterator[tuple[str, int]]:
    """Every imported name with its line, as far as it is a module: `from x import y` yields `x` and `x.y`."""
    is_package = path.name == "__init__.py"
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, is_package, node)
            inner = [f"{base}.{alias.name}" for alias in node.names]
            modules = [name for name in inner if _is_module(name, base)]
            yield from (
                (name, node.lineno) for name in (modules if len(modules) == len(inner) else [base, *modules])
            )


def _base(module: str, is_package: bool, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    kept = parts[: len(parts) - node.level + is_package]
    return ".".join([*kept, node.module] if node.module else kept)


def _is_module(name: str, base: str) -> bool:
    try:
        return find_spec(base) is not None and find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):
        return False
