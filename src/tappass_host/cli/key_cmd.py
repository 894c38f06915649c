"""`tappass key new` and `key list`."""

import click

from tappass_host.cli import home
from tappass_host.cli.clock import SPAN, issue_time, now, until
from tappass_host.cli.output import Out
from tappass_host.cli.roots import first_root, trusted_for
from tappass_host.cli.tree import verb

_YEAR_S = 365 * 86400


@verb("new", "tappass key new acme-signing --org acme", "tappass key new acme-next")
@click.argument("name")
@click.option(
    "--org", metavar="ORG", help="Organisation whose policies the key signs. Pins a root if it has none."
)
@click.option(
    "--root-expires-in",
    type=SPAN,
    default=f"{_YEAR_S}s",
    show_default="1y",
    help="How long a new root lasts.",
)
def new(out: Out, *, name: str, org: str | None, root_expires_in: int) -> None:
    """Make an Ed25519 signing key.

    The first key of an organisation also makes its root of trust, which says that this key may sign policies
    and freshness statements. The root is signed by a key of its own, ORG-root: keep that one offline, it is
    needed only to rotate keys. Without --org the root is made when the key signs its first policy.
    """
    key, root = home.fresh_key(name), None
    if org and not home.root_files(org):
        root = first_root(org, key, expires_at=issue_time() + root_expires_in)
    home.store_key(name, key)

    def answer() -> object:
        return {
            "key": name,
            "public": key.public.text,
            "key_id": key.public.key_id,
            "file": str(home.key_file(name)),
            "root": str(root) if root else None,
        }

    def text() -> None:
        out.status("key", f"{name}  {home.key_file(name)}", "ok")
        out.line(f"  {key.public.text}")
        if root:
            out.status("root", f"{org}  {root}", "ok")
            out.note(f"Enrol hosts with {root}; keep {home.key_file(f'{org}-root')} offline.")
        elif org:
            out.note(f"{org} does not trust it yet: tappass key rotate OLD --to {name} --org {org}")

    out.result(answer, text)


@verb("list", "tappass key list", "tappass key list --json")
def list_(out: Out) -> None:
    """List keys, and what they are trusted for.

    Shows the names of the keys in $TAPPASS_HOME or ~/.config/tappass and, for each organisation with a root
    here, which of them may sign what.
    """
    at = now()
    roots = [root for org in home.orgs() if (root := home.load_root(org, now=at)) is not None]
    keys = [
        {"key": name, "public": key.text, "trusted_for": trusted_for(key, roots, now=at)}
        for name, key in home.public_keys()
    ]
    orgs = [{"org_id": r.org_id, "version": r.version, "digest": r.digest} for r in roots]

    def text() -> None:
        rows = [
            (str(k["key"]), str(k["public"])[:24] + "...", ", ".join(k["trusted_for"]) or "-") for k in keys
        ]
        out.table(rows, ("KEY", "PUBLIC", "TRUSTED FOR"))
        for root in roots:
            out.line(f"root of {root.org_id} v{root.version}, expires {until(root.expires_at, at=at)}")
        if not keys:
            out.note("No keys yet: tappass key new NAME --org ORG")

    out.result(lambda: {"keys": keys, "roots": orgs}, text)
