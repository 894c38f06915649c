"""`tappass policy renew` and `policy revert`: the same content under a new head."""

import click

from tappass_host.cli.clock import SPAN, issue_time
from tappass_host.cli.files import write
from tappass_host.cli.issue import encode, reissue
from tappass_host.cli.output import Out
from tappass_host.cli.policies import Document, describe, load_policy, title
from tappass_host.cli.tree import verb
from tappass_host.policy.errors import PolicyError


@verb(
    "renew",
    "tappass policy renew policy.dsse.json --expires-in 90d --out compiled.json",
    "tappass policy renew compiled.json --out compiled.json",
)
@click.argument("policy", metavar="FILE")
@click.option(
    "--expires-in", type=SPAN, metavar="SPAN", help="How long it lasts; default: as long as before."
)
@click.option("--out", "-o", "target", metavar="FILE", help="Write it there; default: standard output.")
def renew(out: Out, *, policy: str, expires_in: int | None, target: str | None) -> None:
    """Issue the same content again, one version higher, valid from now.

    The result is a Compiled Policy: sign it, and the host that has the old one takes it in its place.
    """
    document = load_policy(policy)
    version = document.policy.version + 1
    fresh = reissue(document.policy, version=version, start=issue_time(), lasts=expires_in)
    _put(out, Document("compiled", target or "", encode(fresh)), target, f"{title(document.policy)} again")


@verb("revert", "tappass policy revert last-week.json --over policy.dsse.json --out compiled.json")
@click.argument("policy", metavar="FILE")
@click.option(
    "--over", required=True, metavar="FILE", help="The policy that is in force now; its version is beaten."
)
@click.option(
    "--expires-in", type=SPAN, metavar="SPAN", help="How long it lasts; default: as long as before."
)
@click.option("--out", "-o", "target", metavar="FILE", help="Write it there; default: standard output.")
def revert(out: Out, *, policy: str, over: str, expires_in: int | None, target: str | None) -> None:
    """Issue older content again under a higher version.

    Hosts never take a lower version back. So FILE, the content to return to, is issued under a version above
    the one in force. Sign the result.
    """
    older, newest = load_policy(policy), load_policy(over)
    if older.policy.org_id != newest.policy.org_id:
        what = f"{older.policy.org_id} and {newest.policy.org_id} are different organisations"
        raise PolicyError(what, pointer="/org_id", source=newest.source)
    version = max(older.policy.version, newest.policy.version) + 1
    fresh = reissue(older.policy, version=version, start=issue_time(), lasts=expires_in)
    _put(out, Document("compiled", target or "", encode(fresh)), target, f"content of {title(older.policy)}")


def _put(out: Out, document: Document, target: str | None, what: str) -> None:
    if target is not None:
        write(target, document.payload)

    def answer() -> object:
        return {**describe(document), **({} if target else {"policy": document.json})}

    def text() -> None:
        if target is None:
            out.raw(document.payload)
            return
        out.status("policy", f"{title(document.policy)}, {what}", "ok")
        out.status("written", f"{target}, expires {document.policy.expires_at}")

    out.result(answer, text)
