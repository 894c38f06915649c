"""Its own sandbox of the Bash tool: bubblewrap and a proxy, started by the harness for every command.

Found on 2.1.330: `denyRead: ["/"]` leaves only what `allowRead` and `allowWrite` name; a `denyRead` inside
them holds, a `denyWrite` beats every `allowWrite`; hosts take ports; rules about Read and Edit count too.
"""

from collections.abc import Callable
from typing import Final

from tappass_host.policy.grammar.domains import DEFAULT_PORTS, DomainRule
from tappass_host.providers.harness.claude_code import info
from tappass_host.providers.harness.claude_code.spelling import host, plain
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Item
from tappass_host.sdk.document import Doc
from tappass_host.sdk.lowering import FsEntry, lower_fs, lower_net

_ON: Final = (
    ("enabled", True, "its sandbox is on"),
    ("failIfUnavailable", True, "and if it cannot be, nothing starts"),
    ("allowUnsandboxedCommands", False, "a command cannot ask to run outside it"),
    ("autoAllowBashIfSandboxed", False, "being inside does not stand for a rule that allows"),
    ("enableWeakerNestedSandbox", False, "nobody trades it for a weaker one"),
)
_ENABLED: Final = "settings#/sandbox/enabled"


def put_sandbox(b: Builder, document: Callable[[], Doc], why_not: str) -> None:
    """Lower files and network of the Bash tool, or say why they are not held here."""
    doc = b.policy.doc
    if why_not:
        aspects = [aspect for aspect in ("filesystem", "network") if getattr(doc, aspect) is not None]
        ids = (i for aspect in aspects for i in b.policy.ids(aspect, aspect=True))
        b.refuse((i for i in ids if not i.startswith("network.allow_unix")), why_not, at=info.OFF)
        return
    if doc.filesystem is None and doc.network is None:
        return
    settings = document()
    for key, value, why in _ON:
        settings.set(f"/sandbox/{key}", value, by=why)
    _put_files(b, settings)
    _put_network(b, settings)


def _put_files(b: Builder, settings: Doc) -> None:
    if b.policy.doc.filesystem is None:
        settings.add("/sandbox/filesystem/allowWrite", "/", by="files are nobody's business here")
        return
    # What user settings say of reading is not looked at; what they say of writing is.
    why = "only these settings open folders for reading"
    settings.set("/sandbox/filesystem/allowManagedReadPathsOnly", True, by=why)
    shut = b.policy.doc.filesystem.default == "deny"
    for item in b.lower(lower_fs(b.policy, info.BASH_FILES, b.know), at=info.SANDBOX_FILES):
        if isinstance(item.value, FsEntry):
            _put_path(settings, item, item.value, shut=shut)
        else:
            _put_default(settings, item)


def _put_default(settings: Doc, item: Item) -> None:
    match item.value:
        case "deny":
            settings.add("/sandbox/filesystem/denyRead", "/", by=item)
        case "allow":
            settings.add("/sandbox/filesystem/allowWrite", "/", by=item)
        case _:
            settings.credit(_ENABLED, by=item)


def _put_path(settings: Doc, item: Item, entry: FsEntry, *, shut: bool) -> None:
    keys: tuple[str, ...]
    match item.op, entry.access:
        case "deny", _:
            keys = ("denyRead", "denyWrite")
        case "narrow", _:
            keys = ("denyWrite",)
        case _, "write":
            keys = ("allowRead", "allowWrite") if shut else ("allowWrite",)
        case _:
            keys = ("allowRead",)
    for key in keys:
        settings.add(f"/sandbox/filesystem/{key}", plain(entry.path), by=item)


def _put_network(b: Builder, settings: Doc) -> None:
    network = b.policy.doc.network
    why = "domains of users and projects are not added"
    settings.set("/sandbox/network/allowManagedDomainsOnly", True, by=why)
    if network is None:
        why = "the network is nobody's business here"
        settings.add("/sandbox/network/allowedDomains", "*", by=why)
        settings.set("/sandbox/network/allowAllUnixSockets", True, by=why)
        return
    features = info.BASH_NET if network.default == "deny" else info.BASH_NET._replace(local="open")
    for item in b.lower(lower_net(b.policy, features), at=info.SANDBOX_NETWORK):
        _put_host(settings, item)


def _put_host(settings: Doc, item: Item) -> None:
    match item.op, item.value:
        case "allow", DomainRule() as domain:
            for port in DEFAULT_PORTS if domain.port is None else (domain.port,):
                settings.add("/sandbox/network/allowedDomains", f"{host(domain)}:{port}", by=item)
        case "deny", DomainRule() as domain:
            end = "" if domain.port is None else f":{domain.port}"
            settings.add("/sandbox/network/deniedDomains", f"{host(domain)}{end}", by=item)
        case "default", "allow":
            settings.add("/sandbox/network/allowedDomains", "*", by=item)
            settings.set("/sandbox/network/allowAllUnixSockets", True, by=item)
        case "default", _:
            settings.ensure("/sandbox/network/allowedDomains", by=item)
            settings.set("/sandbox/network/allowAllUnixSockets", False, by=item)
        case _:
            settings.credit(_ENABLED, by=item)
