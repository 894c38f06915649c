"""`tappass provider test` and `provider dev`: the conformance kit, once or whenever a file changes."""

from pathlib import Path
from time import sleep

import click

from tappass_host.cli.errors import FINDINGS
from tappass_host.cli.files import FileError
from tappass_host.cli.kit import Verdict, run_kit
from tappass_host.cli.output import Out
from tappass_host.cli.tree import verb

_POLL_S = 0.5
_WATCHED = (".py", ".json", ".toml")


@verb(
    "test",
    "tappass provider test bubblewrap",
    "tappass provider test ./acme-box",
    "tappass provider test monty --examples 5000",
)
@click.argument("name", metavar="ID|FOLDER")
@click.option("--examples", type=click.IntRange(1), metavar="N", help="Examples for each generated test.")
def test(out: Out, *, name: str, examples: int | None) -> int:
    """Run the conformance kit on a provider.

    For an id it runs the kit on the installed provider; for a folder the tests of that package, which run the
    kit. Exit code 1 says that the provider does not conform.
    """
    folder, args = _what(name, examples)
    with out.progress("testing") as progress:
        progress.announce(name)
        verdict = run_kit(args, folder)
    out.result(lambda: _document(name, verdict), lambda: _text(out, name, verdict))
    return 0 if verdict.ok else FINDINGS


@verb("dev", "tappass provider dev ./acme-box", "tappass provider dev ./acme-box --once")
@click.argument("path", metavar="FOLDER")
@click.option("--once", is_flag=True, help="Run once and end, with the exit code of `provider test`.")
def dev(out: Out, *, path: str, once: bool) -> int:
    """Check a provider again whenever its files change.

    Runs the tests of the package in the folder, and again after each change, until you press Ctrl-C.
    """
    folder = Path(path)
    _check_folder(folder)
    seen: dict[Path, float] = {}
    while True:
        now = _stamps(folder)
        if now != seen:
            seen = now
            verdict = run_kit([], folder)
            out.result(lambda v=verdict: _document(path, v), lambda v=verdict: _text(out, path, v))  # type: ignore[misc]
            if once:
                return 0 if verdict.ok else FINDINGS
            out.note("Waiting for changes; Ctrl-C ends.")
        try:
            sleep(_POLL_S)
        except KeyboardInterrupt:
            return 0


def _what(name: str, examples: int | None) -> tuple[Path, list[str]]:
    more = [f"--tappass-examples={examples}"] if examples else []
    if Path(name).is_dir():
        _check_folder(Path(name))
        return Path(name), more
    from tappass_host import registry

    return Path(), [f"--tappass-provider={registry.get(name).package}", *more]


def _check_folder(folder: Path) -> None:
    if not (folder / "tests").is_dir():
        remedy = "name the folder of a provider package; tappass provider new ID makes one"
        raise FileError("holds no tests", source=str(folder), remedy=remedy)


def _stamps(folder: Path) -> dict[Path, float]:
    return {path: path.stat().st_mtime for path in folder.rglob("*") if path.suffix in _WATCHED}


def _document(name: str, verdict: Verdict) -> dict[str, object]:
    failures = [{"test": test, "message": message} for test, message in verdict.failures]
    return {"provider": name, "ok": verdict.ok, "passed": verdict.passed, "failures": failures}


def _text(out: Out, name: str, verdict: Verdict) -> None:
    for test_name, message in verdict.failures:
        out.status("failed", test_name)
        for line in message.splitlines():
            out.line(f"          {line}")
    state = "ok" if verdict.ok else "failed"
    out.status("provider", f"{name}: {verdict.passed} passed, {len(verdict.failures)} failed", state)
