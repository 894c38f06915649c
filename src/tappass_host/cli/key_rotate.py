"""`tappass key rotate`: a new key takes the place of an old one in an organisation's root."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tappass_host.cli import home
from tappass_host.cli.clock import SPAN, issue_time, now, until
from tappass_host.cli.files import FileError
from tappass_host.cli.output import Out
from tappass_host.cli.roots import next_document, root_document, root_key_name, sign_root
from tappass_host.cli.tree import verb
from tappass_host.policy.errors import SignatureError

if TYPE_CHECKING:
    from tappass_host.policy.trust.keys import PrivateKey
    from tappass_host.policy.trust.root import Root, RootDocument

_YEAR_S = 365 * 86400
_NUMBERED = re.compile(r"(.*)-([1-9][0-9]*)")


@verb(
    "rotate",
    "tappass key rotate acme-signing",
    "tappass key rotate acme-signing --to acme-2027 --overlap 7d",
    "tappass key rotate acme-root --org acme",
)
@click.argument("old")
@click.option(
    "--to", "new", metavar="NAME", help="Name of the new key; made if there is none. Default: OLD-2."
)
@click.option("--org", metavar="ORG", help="Whose root; only needed if there are several.")
@click.option(
    "--overlap", type=SPAN, metavar="SPAN", help="Let the old key count this long beside the new one."
)
@click.option(
    "--root-expires-in",
    type=SPAN,
    default=f"{_YEAR_S}s",
    show_default="1y",
    help="How long the new root lasts.",
)
def rotate(
    out: Out, *, old: str, new: str | None, org: str | None, overlap: int | None, root_expires_in: int
) -> None:
    """Replace a key in an organisation's root of trust.

    Makes the next version of the root, signed by the root keys that lie here, in which the new key stands
    wherever the old one stood. Hosts follow it on their own word: give them the new root file. Without
    --overlap the old key counts no more as soon as a host has the new root; use that after a theft.
    """
    from tappass_host.policy.trust.root import rotate as follow

    org_id, at, name = _org(org), now(), new or _next_name(old)
    current = home.trusted_root(org_id, now=at)
    going, known = home.load_key(old), name in home.key_names()
    coming = home.load_key(name) if known else home.fresh_key(name)
    document = next_document(
        root_document(org_id),
        going.public,
        coming.public,
        expires_at=issue_time() + root_expires_in,
        keep_until=None if overlap is None else at + overlap,
    )
    data = sign_root(document, _signers(current, document, coming))
    root = follow(current, data, now=at)
    if not known:
        home.store_key(name, coming)
    path = home.save_root(org_id, root.version, data)
    _say(out, root, old, name, path)


def _signers(current: "Root", following: "RootDocument", coming: "PrivateKey") -> list["PrivateKey"]:
    """Every root key at hand, of the old root and of the new."""
    wanted = {trusted.key.text for trusted in current.roles["root"].keys}
    wanted |= {entry.public for entry in following.roles.root.keys}
    mine = {key.public.text: key for _, key in home.private_keys()}
    mine[coming.public.text] = coming
    found = [mine[text] for text in sorted(wanted & mine.keys())]
    if not found:
        remedy = f"bring {root_key_name(current.org_id)}.pem back to {home.home() / 'keys'} for this"
        raise SignatureError(f"no root key of {current.org_id} is here", remedy=remedy)
    return found


def _say(out: Out, root: "Root", old: str, new: str, path: Path) -> None:
    def text() -> None:
        out.status("key", f"{new} takes the place of {old}", "ok")
        out.status("root", f"{root.org_id} v{root.version}, expires {until(root.expires_at, at=now())}", "ok")
        out.line(f"          {path}")
        out.note("Give hosts this root file; what the old key signed has to be signed again.")

    def answer() -> object:
        return {"org_id": root.org_id, "old": old, "new": new, "root": str(path), "version": root.version}

    out.result(answer, text)


def _org(org: str | None) -> str:
    if org:
        return org
    known = home.orgs()
    if len(known) == 1:
        return known[0]
    what = f"there are roots of {', '.join(known)}" if known else "there is no root of trust yet"
    raise FileError(what, remedy="say which with --org ORG" if known else "tappass key new NAME --org ORG")


def _next_name(old: str) -> str:
    found = _NUMBERED.fullmatch(old)
    return f"{found[1]}-{int(found[2]) + 1}" if found else f"{old}-2"
