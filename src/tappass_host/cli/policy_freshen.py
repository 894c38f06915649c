"""`tappass policy freshen`: a signed statement that a policy is still the newest."""

import click

from tappass_host.cli import home
from tappass_host.cli.clock import now
from tappass_host.cli.files import write
from tappass_host.cli.options import key_option
from tappass_host.cli.output import Out
from tappass_host.cli.policies import load_policy, title
from tappass_host.cli.tree import verb
from tappass_host.cli.trusted import require_envelope, vouch
from tappass_host.policy.canonical import canonical_bytes
from tappass_host.policy.errors import SignatureError
from tappass_host.policy.times import format_instant


@verb("freshen", "tappass policy freshen policy.dsse.json --key acme-signing --out fresh.dsse.json")
@click.argument("policy", metavar="FILE")
@key_option(required=True)
@click.option(
    "--out", "-o", "target", metavar="FILE", help="Write the statement there; default: standard output."
)
def freshen(out: Out, *, policy: str, keys: tuple[str, ...], target: str | None) -> None:
    """Sign that a policy is still the newest of its audience.

    A host whose policy has `freshness` locks down when it has seen no such statement for too long: whoever
    holds messages back then gains nothing. Run it often, from where policies are served.
    """
    from tappass_host.policy.trust.dsse import PAYLOAD_TYPES, sign
    from tappass_host.policy.trust.freshness import Statement
    from tappass_host.policy.trust.signed import open_signed

    at, document = now(), load_policy(policy)
    require_envelope(document)
    root = home.trusted_root(document.claimed_org, now=at)
    vouched = vouch(document, root, now=at)
    statement = Statement(
        schema="tappass.freshness/v1",
        org_id=vouched.head.org_id,
        audience=vouched.head.audience.key,
        version=vouched.head.version,
        digest=vouched.signed.digest,
        issued_at=format_instant(at),
    )
    signers = [home.load_key(name) for name in keys]
    envelope = sign(canonical_bytes(statement), PAYLOAD_TYPES["freshness"], signers)
    try:
        open_signed(envelope, root.keys_of("freshness", now=at), now=at)
    except SignatureError as error:
        remedy = "tappass key list shows which keys are trusted for freshness"
        raise SignatureError(error.message, source=document.source, remedy=remedy) from None
    if target is None:
        out.raw(envelope + b"\n")
        return
    write(target, envelope + b"\n")

    def text() -> None:
        out.status("fresh", f"{title(document.policy)} at {statement.issued_at}  {target}", "ok")

    out.result(lambda: {"statement": statement, "file": target}, text)
