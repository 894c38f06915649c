"""`tappass provider new`: a provider in a package of its own, which passes the conformance kit as it is."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tappass_host.cli.clock import issue_time
from tappass_host.cli.files import FileError, read, write_many
from tappass_host.cli.kit import update_golden
from tappass_host.cli.output import Out
from tappass_host.cli.registered import Registered
from tappass_host.cli.tree import verb
from tappass_host.policy.times import format_instant

if TYPE_CHECKING:
    from tappass_host.registry import LoadedProvider

_ID: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
# Position -> surfaces that the template answers for, and those that such a target brings.
_SHAPES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "harness": (("tool", "exec", "mcp", "self"), ("tool", "exec", "mcp", "llm", "self")),
    "kernel": (("tool", "exec", "mcp", "code", "self"), ()),
    "interpreter": (("code",), ("code",)),
    "host": (("tool", "exec", "mcp", "code", "self"), ()),
}
_FILES: Final = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "readme.md.txt",
    "src/@PACKAGE@/provider.py": "provider.py.txt",
    "src/@PACKAGE@/reader.py": "reader.py.txt",
    "src/@PACKAGE@/target.py": "target.py.txt",
    "tests/test_conformance.py": "test_conformance.py.txt",
    "tests/cases/basic/policy.json": "policy.json.txt",
}
_EMPTY: Final = {"src/@PACKAGE@/__init__.py": '"""@TARGET@."""\n', "src/@PACKAGE@/py.typed": ""}


@verb(
    "new",
    "tappass provider new acme-box",
    "tappass provider new acme-box --position interpreter --target 'Acme Box' --docs https://box.acme.example/rules",
    "tappass provider new acme-jail --like bubblewrap",
)
@click.argument("provider_id", metavar="ID")
@click.option(
    "--position", type=click.Choice(list(_SHAPES)), default="kernel", show_default=True, help="Its position."
)
@click.option("--like", metavar="ID", help="Start from the code of this provider instead of the template.")
@click.option("--target", metavar="NAME", help="What the target is called; default: the id.")
@click.option(
    "--docs", default="https://docs.example.com/", metavar="URL", help="The vendor's page about its rules."
)
@click.option(
    "--out", "-o", "folder", metavar="FOLDER", help="Where the package goes; default: a folder named ID."
)
def new(
    out: Out,
    *,
    provider_id: str,
    position: str,
    like: str | None,
    target: str | None,
    docs: str,
    folder: str | None,
) -> None:
    """Start a provider in a package of its own.

    Writes a package with provider, reader, target, README, the conformance kit in one line and a golden case.
    It passes as it is; replace the example's rules by your target's.
    """
    _check_id(provider_id)
    words = _words(provider_id, position, target or provider_id, docs)
    files = _files(words, Registered()[like] if like else None)
    root = Path(folder or provider_id)
    write_many(root, {name: text.encode() for name, text in files.items()})
    golden = update_golden(root)

    def text() -> None:
        for name in files:
            out.status("written", str(root / name))
        if not golden:
            out.note(
                "The golden case is not rendered yet: pip install 'tappass-host[kit]', pytest --update-golden"
            )
        out.note(f"Next: pip install -e {root}; tappass provider test {root}")

    out.result(lambda: {"id": provider_id, "folder": str(root), "files": list(files), "golden": golden}, text)


def _check_id(provider_id: str) -> None:
    from tappass_host.registry.builtin import RESERVED

    if not _ID.fullmatch(provider_id):
        remedy = "use lower-case letters and digits, with single hyphens between: acme-box"
        raise FileError(f"{provider_id!a} is no id for a provider", remedy=remedy)
    if provider_id in RESERVED:
        raise FileError(f"{provider_id} is built in and cannot be claimed", remedy="choose another id")


def _words(provider_id: str, position: str, target: str, docs: str) -> dict[str, str]:
    surfaces, brings = _SHAPES[position]
    return {
        "ID": provider_id,
        "PACKAGE": f"tappass_{provider_id.replace('-', '_')}",
        "DIST": f"tappass-provider-{provider_id}",
        "POSITION": position,
        "TARGET": target,
        "DOCS": docs,
        "DATE": format_instant(issue_time())[:10],
        "SURFACES": _tuple(surfaces),
        "BRINGS": _tuple(brings),
        # The template's target grants no unix socket: denied in two reference policies, on each surface.
        "DECLARED": f"\n    stricter={2 * len(surfaces)},",
    }


def _tuple(words: tuple[str, ...]) -> str:
    inner = ", ".join(f'"{word}"' for word in words)
    return f"({inner},)" if len(words) == 1 else f"({inner})"


def _files(words: Mapping[str, str], like: "LoadedProvider | None") -> dict[str, str]:
    from pkgutil import get_data

    texts = dict(_EMPTY)
    for name, template in _FILES.items():
        data = get_data("tappass_host.cli.scaffold", template)
        assert data is not None
        texts[name] = data.decode()
    if like is not None:
        texts = {k: v for k, v in texts.items() if not k.endswith(("provider.py", "reader.py"))}
    copied = {} if like is None else _copied(like, words)
    settings = f"src/{words['PACKAGE']}/conformance.py" in copied
    declared = "\n    **SETTINGS._asdict()," if settings else "" if copied else words["DECLARED"]
    imported = f"\nfrom {words['PACKAGE']}.conformance import SETTINGS" if settings else ""
    known = {**words, "DECLARED": declared, "IMPORTED": imported}
    return {**{_fill(name, known): _fill(text, known) for name, text in texts.items()}, **copied}


def _fill(text: str, words: Mapping[str, str]) -> str:
    return re.sub("@([A-Z]+)@", lambda found: words[found[1]], text)


def _copied(like: "LoadedProvider", words: Mapping[str, str]) -> dict[str, str]:
    """The modules of another provider, with its package and id replaced by the new ones."""
    from tappass_host.registry.digest import package_folder

    folder, found = package_folder(like.package), {}
    for path in sorted(folder.glob("*.py")):
        text = read(path).decode().replace(like.package, words["PACKAGE"])
        text = re.sub(rf'\bid="{re.escape(like.id)}"', f'id="{words["ID"]}"', text)
        text = re.sub(r"(?m)^    aliases=.*\n", "", text)
        found[f"src/{words['PACKAGE']}/{path.name}"] = text
    return found
