"""`tappass verify`: may this envelope apply, by whose word, and until when."""

import click

from tappass_host.cli import floors, home
from tappass_host.cli.clock import INSTANT, now, until
from tappass_host.cli.files import read
from tappass_host.cli.options import PAIR
from tappass_host.cli.output import Out
from tappass_host.cli.policies import Document, describe, load_policy, title
from tappass_host.cli.runtimes import runtime_of
from tappass_host.cli.tree import verb
from tappass_host.cli.trusted import Bearer, Vouched, require_envelope, vouch
from tappass_host.policy.trust.root import Root

# Of a digest, `sha256:` and as many digits as a person compares.
_SHORT = 23


@verb(
    "verify",
    "tappass verify policy.dsse.json",
    "tappass verify policy.dsse.json --root acme.root.json --runtime laptop.yaml --floors floors.json",
    "tappass verify policy.dsse.json --at 2027-01-31T09:00:00Z --json",
)
@click.argument("envelope", metavar="FILE")
@click.option("--root", "root_file", metavar="FILE", help="Root to trust instead of the one pinned here.")
@click.option("--runtime", metavar="NAME|FILE", help="Also check that the policy lists this Runtime.")
@click.option("--sandbox", metavar="ID", help="Also check that the policy is for this sandbox.")
@click.option("--class", "host_class", metavar="CLASS", help="Also check that it is for this class of hosts.")
@click.option(
    "--label", "labels", type=PAIR, multiple=True, metavar="NAME=VALUE", help="A label of the host."
)
@click.option(
    "--floors", "floor_file", metavar="FILE", help="Refuse what is older than this file remembers; update it."
)
@click.option("--at", type=INSTANT, metavar="INSTANT", help="Judge at this time instead of now.")
def verify(
    out: Out,
    *,
    envelope: str,
    root_file: str | None,
    runtime: str | None,
    sandbox: str | None,
    host_class: str | None,
    labels: tuple[tuple[str, str], ...],
    floor_file: str | None,
    at: int | None,
) -> None:
    """Check who signed a policy, and whether it applies now.

    Checks the envelope, the signatures by distinct trusted keys, organisation, time of validity and the
    root's ceiling; then the policy itself. Exit code 3 says that trust is refused.
    """
    when = now() if at is None else at
    document = load_policy(envelope)
    require_envelope(document)
    root = _root(document, root_file, when)
    bearer = Bearer(
        runtime_digest=runtime_of(runtime).digest if runtime else None,
        sandbox_id=sandbox,
        host_class=host_class,
        labels=dict(labels) if labels else None,
    )
    known = floors.load(floor_file) if floor_file else {}
    vouched = vouch(document, root, now=when, bearer=bearer, floors=known)
    title(document.policy)  # signed bytes that are no policy: refused before anything is remembered
    if floor_file:
        floors.save(floor_file, {**known, vouched.floor_key: vouched.floor})
    _say(out, document, root, vouched, _unchecked(bearer), when=when)


def _root(document: Document, root_file: str | None, when: int) -> Root:
    if root_file is None:
        return home.trusted_root(document.claimed_org, now=when)
    from tappass_host.policy.trust.root import pin

    return pin(read(root_file), now=when, source=root_file)


def _unchecked(bearer: Bearer) -> list[str]:
    given = {"Runtime": bearer.runtime_digest, "sandbox": bearer.sandbox_id}
    return [name for name, value in given.items() if value is None]


def _say(
    out: Out, document: Document, root: Root, vouched: Vouched, unchecked: list[str], *, when: int
) -> None:
    head, signed = vouched.head, vouched.signed

    def text() -> None:
        out.status("policy", f"{title(document.policy)}, {signed.digest[:_SHORT]}", "ok")
        needed, keys = root.roles["policy"].threshold, ", ".join(k[:_SHORT] for k in signed.key_ids)
        out.status("signed", f"{len(signed.key_ids)} of {needed} needed, by {keys}", "ok")
        out.status("root", f"{root.org_id} v{root.version}", "ok")
        out.status("valid", f"until {until(head.expires_at, at=when)}", "ok")
        if unchecked:
            out.note(f"Not checked: {', '.join(unchecked)}.")

    def answer() -> object:
        return {
            **describe(document),
            "verified": True,
            "key_ids": signed.key_ids,
            "threshold": root.roles["policy"].threshold,
            "root": {"org_id": root.org_id, "version": root.version, "digest": root.digest},
            "audience": document.policy.audience,
            "not_checked": unchecked,
        }

    out.result(answer, text)
