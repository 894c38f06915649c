"""The digest of a provider: what its package's files say, read without importing them."""

import hashlib
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tappass_host.policy.errors import ProviderError


def package_digest(package: str) -> str:
    """`sha256:<hex>` over the package's regular files, sorted by path, each with its name and size.

    Compiled caches are left out: Python writes them by itself. A symbolic link is refused, since what it
    shows can change while the package stays the same.

    Raises:
        ProviderError: there is no such package, or it holds something that is not a plain file.
    """
    folder = package_folder(package)
    total = hashlib.sha256()
    for path in sorted(_files(folder), key=lambda p: p.relative_to(folder).as_posix()):
        data = path.read_bytes()
        total.update(f"{path.relative_to(folder).as_posix()}\0{len(data)}\0".encode())
        total.update(data)
    return f"sha256:{total.hexdigest()}"


def package_folder(package: str) -> Path:
    """The folder of a package, found without running any of its code.

    Raises:
        ProviderError: there is none, or it is spread over several folders.
    """
    top, *rest = package.split(".")
    folders = [Path(location).joinpath(*rest) for location in _locations(top)]
    found = [folder for folder in folders if folder.is_dir()]
    if len(found) == 1:
        return found[0]
    where = "in several folders" if found else "not on this machine"
    raise ProviderError(f"package {package} is {where}")


def _locations(top: str) -> list[str]:
    loaded = sys.modules.get(top)
    if loaded is not None:
        return list(getattr(loaded, "__path__", []))
    try:
        spec = find_spec(top)  # a top-level name: nothing is imported on the way
    except ValueError:
        spec = None
    return list(spec.submodule_search_locations or ()) if spec else []


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if "__pycache__" in path.relative_to(folder).parts:
            continue
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise ProviderError(f"{path.relative_to(folder)} of a provider package is not a plain file")
        if path.is_file():
            yield path
