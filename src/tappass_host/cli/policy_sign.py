"""`tappass policy sign`."""

import click

from tappass_host.cli import home
from tappass_host.cli.clock import issue_time, now
from tappass_host.cli.files import write
from tappass_host.cli.options import key_option
from tappass_host.cli.output import Out
from tappass_host.cli.policies import Document, load_policy, title
from tappass_host.cli.roots import first_root
from tappass_host.cli.signing import endorse, standing
from tappass_host.cli.tree import verb

_YEAR_S = 365 * 86400


@verb(
    "sign",
    "tappass policy sign compiled.json --key acme-signing --out policy.dsse.json",
    "tappass policy sign policy.dsse.json --key acme-second --out policy.dsse.json",
)
@click.argument("policy", metavar="FILE")
@key_option(required=True)
@click.option(
    "--out", "-o", "target", metavar="FILE", help="Write the envelope there; default: standard output."
)
def sign(out: Out, *, policy: str, keys: tuple[str, ...], target: str | None) -> None:
    """Sign a Compiled Policy, over its exact bytes, and write the DSSE envelope that hosts take.

    FILE may be an envelope already: the signatures are then added to those it has. If no root of trust of the
    policy's organisation is here yet, one is made that trusts the first key.
    """
    document = load_policy(policy)
    signers = [home.load_key(name) for name in keys]
    org = document.policy.org_id
    pinned = None
    if not home.root_files(org):
        pinned = first_root(org, signers[0], expires_at=issue_time() + _YEAR_S)
    envelope = endorse(document, signers)
    state = standing(envelope, org, now=now())
    if target is None:
        out.raw(envelope + b"\n")
    else:
        write(target, envelope + b"\n")
        _say(out, document, keys, target, state)
    if pinned:
        out.note(f"Made the root of {org}: {pinned}")


def _say(out: Out, document: Document, keys: tuple[str, ...], target: str, state: str) -> None:
    def text() -> None:
        out.status("policy", title(document.policy))
        out.status("signed", f"{', '.join(keys)}  {target}", "ok")
        out.note(state)

    def answer() -> object:
        return {
            "envelope": target,
            "digest": document.digest,
            "version": document.policy.version,
            "keys": keys,
            "standing": state,
        }

    out.result(answer, text)
