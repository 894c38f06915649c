"""`tappass provider lock`: which providers an organisation agrees to, byte by byte."""

import click

from tappass_host.cli.files import write
from tappass_host.cli.locks import LOCK_FILE
from tappass_host.cli.output import Out
from tappass_host.cli.registered import Registered
from tappass_host.cli.runtimes import runtime_of
from tappass_host.cli.tree import verb


@verb(
    "lock",
    "tappass provider lock --org acme",
    "tappass provider lock bubblewrap monty --org acme --out providers.lock",
    "tappass provider lock --org acme --runtime laptop",
)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--org", required=True, metavar="ORG", help="Whose lock it is.")
@click.option("--runtime", metavar="NAME|FILE", help="Lock the providers of this Runtime.")
@click.option(
    "--out", "-o", "target", default=LOCK_FILE, show_default=True, metavar="FILE", help="Write it there."
)
def lock(out: Out, *, ids: tuple[str, ...], org: str, runtime: str | None, target: str) -> None:
    """Agree to providers as they are now.

    Writes providers.lock: id, version and digest of each provider; by default of all that can be used.
    Where the file is found, `render` and `coverage` refuse a provider that is not in it, or that has changed,
    before any of its code runs.
    """
    from msgspec import json

    from tappass_host.policy.canonical import canonical_bytes
    from tappass_host.registry.lock import lock_of

    providers = Registered()
    wanted = [*ids, *(use.provider for use in runtime_of(runtime).recipe.uses)] if runtime else list(ids)
    names = wanted or list(providers)
    found = lock_of(org, [providers[name] for name in dict.fromkeys(names)])
    write(target, json.format(canonical_bytes(found), indent=2) + b"\n")

    def text() -> None:
        out.status("locked", f"{len(found.providers)} providers for {org}  {target}", "ok")
        out.table([(name, row.version, row.digest) for name, row in found.providers.items()], indent=2)

    out.result(lambda: {"file": target, "lock": found}, text)
