"""Runs the code blocks of a Markdown page, top to bottom, as one session in a folder of its own.

    ```python                 executed; all python blocks of a page share their names
    ```pycon                  executed as a doctest, with the same names
    ```console                each line after `$ ` is run by bash; what follows is its output, `...` for anything
    ```console exit=1         the same, and the last command has to end with that code
    ```toml file=a/b.toml     written to that file, whatever the language; with `append` added at its end

Blocks of other languages are for reading. Shell languages are refused: a command that nobody runs is wrong soon.
"""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

READ_ONLY = frozenset(
    {"", "text", "yaml", "json", "toml", "markdown", "mermaid", "diff", "ini", "xml", "sql"}
)
_FENCE = re.compile(r"(?P<indent> *)```(?P<language>[\w-]*) *(?P<options>.*)")
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_TIMEOUT_S = 300


class Block(NamedTuple):
    """One fenced block. `line` is that of its first line of code, counted from 1."""

    language: str
    options: dict[str, str]
    code: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        fence = _FENCE.fullmatch(lines[at])
        at += 1
        if fence is None:
            continue
        first, indent = at, len(fence["indent"])
        while lines[at].strip() != "```":
            at += 1
        code = "".join(f"{line[indent:]}\n" for line in lines[first:at])
        options = dict(part.partition("=")[::2] for part in fence["options"].split())
        yield Block(fence["language"], options, code, first + 1)
        at += 1


def run_page(page: Path, folder: Path) -> int:
    """Run every block that can be run, and return how many there were.

    Raises:
        AssertionError: a command or a doctest did something else than the page says.
    """
    __tracebackhide__ = True
    session, path, modules = Session(page, folder), list(sys.path), set(sys.modules)
    try:
        for block in blocks(page.read_text()):
            session.run(block)
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
                del sys.modules[name]
    return session.count


class Session:
    """The names, the folder and the environment that the blocks of one page share."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.page, self.folder, self.count = page, folder, 0
        self._names: dict[str, Any] = {"__name__": "__page__"}
        self._env = {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
            "HOME": str(folder / ".home"),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        (folder / ".home").mkdir()

    def run(self, block: Block) -> None:
        """Run one block, or write it to its file."""
        __tracebackhide__ = True
        self.count += 1
        if "file" in block.options:
            self._write(block)
        elif block.language == "python":
            padded = "\n" * (block.line - 1) + block.code
            exec(compile(padded, str(self.page), "exec"), self._names)
        elif block.language == "pycon":
            self._doctest(block)
        elif block.language == "console":
            self._console(block)
        else:
            self.count -= 1
            assert block.language in READ_ONLY, self._at(block, f"{block.language} is not run: write console")

    def _write(self, block: Block) -> None:
        path = self.folder / block.options["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        old = path.read_text() if "append" in block.options else ""
        path.write_text(old + block.code)

    def _doctest(self, block: Block) -> None:
        __tracebackhide__ = True
        test = doctest.DocTestParser().get_doctest(
            block.code, self._names, self.page.name, str(self.page), block.line - 1
        )
        said: list[str] = []
        runner = doctest.DocTestRunner(optionflags=_FLAGS)
        runner.run(test, out=said.append, clear_globs=False)
        self._names.update(test.globs)
        assert not runner.failures, "".join(said)

    def _console(self, block: Block) -> None:
        __tracebackhide__ = True
        runs = list(_commands(block.code))
        for index, (command, expected) in enumerate(runs, 1):
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self._env,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
            code = int(block.options.get("exit", 0)) if index == len(runs) else 0
            said = f"$ {command}\n{done.stdout}{done.stderr}"
            assert done.returncode == code, self._at(block, f"exit code {done.returncode}\n{said}")
            matches = doctest.OutputChecker().check_output(expected, done.stdout, _FLAGS)
            assert matches or not expected, self._at(block, f"expected:\n{expected}\ngot:\n{said}")

    def _at(self, block: Block, what: str) -> str:
        return f"{self.page}:{block.line}: {what}"


def _commands(code: str) -> Iterator[tuple[str, str]]:
    """Each command with what the page says that it prints."""
    command, expected = "", ""
    for line in code.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line.removeprefix("$ "), ""
        elif command.endswith("\\"):
            command = f"{command}\n{line.removeprefix('> ')}"
        else:
            expected += f"{line}\n"
    assert command, f"a console block without a command: {code}"
    yield command, expected
