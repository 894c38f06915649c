"""Keys and trust roots of the person at the keyboard, in `$TAPPASS_HOME` or `~/.config/tappass`.

Never in a project.

keys/NAME.pem           private key, PKCS #8, readable by its owner only
keys/NAME.pub           public key, `ed25519:<hex>`
roots/ORG/1.root.json   the pinned root of an organisation, signed
roots/ORG/2.root.json   what it was rotated to, and so on
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tappass_host.cli.files import FileError, make_folder, read, write
from tappass_host.policy.errors import SignatureError
from tappass_host.policy.wire import printable

if TYPE_CHECKING:
    from tappass_host.policy.trust.keys import PrivateKey, PublicKey
    from tappass_host.policy.trust.root import Root

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_KEY_FILE: Final = 16 * 1024
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def home() -> Path:
    """The folder of this person's keys and roots."""
    if named := os.environ.get("TAPPASS_HOME"):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification says that a relative path is to be ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "tappass"


def key_file(name: str) -> Path:
    """Where the key of that name lies.

    Raises:
        FileError: the name is none.
    """
    if not _NAME.fullmatch(name):
        remedy = "use letters, digits, '.', '_' and '-', as in acme-signing"
        raise FileError(f"{printable(name)!r} is no name for a key", remedy=remedy)
    return home() / "keys" / f"{name}.pem"


def key_names() -> list[str]:
    """The keys there are."""
    folder = home() / "keys"
    return sorted(path.stem for path in folder.glob("*.pem")) if folder.is_dir() else []


def fresh_key(name: str) -> "PrivateKey":
    """Make a key that is not stored yet.

    Raises:
        FileError: there is one of that name already.
    """
    from tappass_host.policy.trust.keys import generate

    path = key_file(name)
    if path.exists():
        remedy = f"choose another name, or replace it: tappass key rotate {name}"
        raise FileError(f"there is a key {name} already", source=str(path), remedy=remedy)
    return generate(os.urandom(32))


def store_key(name: str, key: "PrivateKey") -> Path:
    """Store a key, readable by its owner only.

    Raises:
        FileError: there is one of that name already.
    """
    path = key_file(name)
    make_folder(path.parent, mode=0o700)
    path.parent.chmod(0o700)
    write(path, key.pem(), mode=0o600, replace=False)
    write(path.with_suffix(".pub"), f"{key.public.text}\n".encode())
    return path


def load_key(name: str) -> "PrivateKey":
    """Read a private key by its name, or by the path of a PEM file.

    Raises:
        FileError: there is none, or others can read it.
        KeyRefusedError: it is no Ed25519 key, or encrypted.
    """
    from tappass_host.policy.trust.keys import private_from_pem

    path = Path(name) if _is_path(name) else key_file(name)
    if not path.exists():
        raise FileError(f"no key {printable(name)}", source=str(path), remedy=_which_keys(name))
    if path.stat().st_mode & _OTHERS:
        raise FileError(
            "others may read this private key",
            source=str(path),
            remedy=f"run chmod 600 {path}, or replace the key",
        )
    return private_from_pem(read(path, max_bytes=_MAX_KEY_FILE), source=str(path))


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith(".pem")


def _which_keys(name: str) -> str:
    names = key_names()
    return f"there is {', '.join(names)}" if names else f"make it with tappass key new {name}"


def root_folder(org_id: str) -> Path:
    """Where the roots of an organisation lie. Its id may hold any character; the folder's name does not."""
    from urllib.parse import quote

    return home() / "roots" / quote(org_id, safe="").replace(".", "%2E")


def orgs() -> list[str]:
    """The organisations that have a root here."""
    from urllib.parse import unquote

    folder = home() / "roots"
    return sorted(unquote(path.name) for path in folder.iterdir()) if folder.is_dir() else []


def root_files(org_id: str) -> list[Path]:
    """The chain of roots, oldest first."""
    found = root_folder(org_id).glob("*.root.json")
    return sorted(found, key=lambda path: int(path.name.partition(".")[0]))


def load_root(org_id: str, *, now: int) -> "Root | None":
    """The root that is trusted for an organisation; None if none was pinned.

    Raises:
        TrustError: a file of the chain does not follow from the one before.
    """
    from tappass_host.policy.trust.dsse import parse_envelope
    from tappass_host.policy.trust.root import parse_root, rotate

    root = None
    for path in root_files(org_id):
        data = read(path)
        # The first is trusted because it lies here, even long after it expired and was rotated.
        if root is None:
            root = parse_root(parse_envelope(data, source=str(path)).payload, source=str(path))
        else:
            root = rotate(root, data, now=now, source=str(path))
    return root


def trusted_root(org_id: str, *, now: int) -> "Root":
    """The root of an organisation.

    Raises:
        SignatureError: none was pinned here.
    """
    root = load_root(org_id, now=now)
    if root is None:
        name = printable(org_id)
        raise SignatureError(
            f"no root of {name} is trusted here",
            remedy=f"name one with --root FILE, or make one with tappass key new NAME --org {name}",
        )
    return root


def save_root(org_id: str, version: int, data: bytes) -> Path:
    """Keep the next root of an organisation.

    Raises:
        FileError: that version is there already.
    """
    path = root_folder(org_id) / f"{version}.root.json"
    make_folder(path.parent, mode=0o700)
    write(path, data, replace=False)
    return path


def public_keys() -> Iterator[tuple[str, "PublicKey"]]:
    """The public half of every key of this person; no private one is opened for it."""
    from tappass_host.policy.trust.keys import PublicKey

    for name in key_names():
        text = read(key_file(name).with_suffix(".pub"), max_bytes=_MAX_KEY_FILE)
        yield name, PublicKey.parse(text.decode(errors="replace").strip())


def private_keys() -> Iterator[tuple[str, "PrivateKey"]]:
    """Every key of this person that can be read."""
    for name in key_names():
        yield name, load_key(name)
