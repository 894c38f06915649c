"""Which modules a text of Python may import, judged before any of it runs.

Engines offer a fixed set of modules and no list of their own. An import statement names its module in the
source, so reading the source is complete as long as no code can be made from text: wherever imports are
restricted, the builtins that do so (`exec`, `eval`, `compile`, `__import__`) are refused by name. Two parsers
read the text, ours and the engine's; characters on which they could differ are refused as well.

Runs in the confined child: a text made to crash a parser then crashes nothing else. Standard library only.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

# Names that turn text into code. None of them can be reached in another way in an engine without
# `builtins`, `globals()` and `__builtins__`; an engine that has those must not rely on this module.
_CODE_FROM_TEXT = frozenset({"exec", "eval", "compile", "__import__", "__builtins__", "globals", "importlib"})


class ImportRefusedError(Exception):
    """The text imports, or could import, what the manifest does not allow."""

    def __init__(self, name: str, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")
        self.name = name
        self.reason = reason


class _Import(NamedTuple):
    module: str
    needs: tuple[str, ...]
    line: int


def check_imports(code: str, allow: list[str] | None, deny: list[str]) -> None:
    """Judge every import of `code`.

    Args:
        code: the text.
        allow: modules that may be imported, or None for all the engine has; a name covers its submodules.
        deny: modules that may not.

    Raises:
        ImportRefusedError: naming the module and the line.
        SyntaxError: the text does not parse; an engine would refuse it too, or read it differently.
    """
    if allow is None and not deny:
        return
    _check_characters(code)
    for node in ast.walk(_parse(code)):
        if isinstance(node, ast.Name) and node.id in _CODE_FROM_TEXT:
            raise ImportRefusedError(node.id, f"{node.id} could import what the policy denies", node.lineno)
        for found in _imports(node):
            _judge(found, allow, deny)


def _check_characters(code: str) -> None:
    for at, char in enumerate(code):
        if (ord(char) < ord(" ") and char not in "\t\n\r") or char in "\x7f\x85\u2028\u2029\ufeff":
            line = code.count("\n", 0, at) + 1
            raise ImportRefusedError("source", f"the control character {char!a} cannot be judged", line)


def _parse(code: str) -> ast.Module:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(code)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(f"cannot be judged: {error or type(error).__name__}") from None


def _imports(node: ast.AST) -> Iterator[_Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            # `import a.b` binds `a`, the whole of it.
            needs = (alias.name,) if alias.asname else (alias.name.partition(".")[0], alias.name)
            yield _Import(alias.name, needs, node.lineno)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            base = "." * node.level + (node.module or "")
            full = base if alias.name == "*" else f"{base}.{alias.name}"
            yield _Import(base, (full,), node.lineno)


def _judge(found: _Import, allow: list[str] | None, deny: list[str]) -> None:
    for name in found.needs:
        if name.startswith("."):
            raise ImportRefusedError(found.module, "relative imports cannot be judged", found.line)
        # A package in hand is all its submodules in hand.
        if any(_covers(rule, name) or _covers(name, rule) for rule in deny):
            raise ImportRefusedError(found.module, f"the policy denies importing {name}", found.line)
        if allow is not None and not any(_covers(rule, name) for rule in allow):
            raise ImportRefusedError(found.module, f"the policy does not allow importing {name}", found.line)


def _covers(rule: str, name: str) -> bool:
    return name == rule or name.startswith(rule + ".")
