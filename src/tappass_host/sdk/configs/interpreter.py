"""The interpreter manifest, schema `tappass.interpreter-manifest/v1`.

What an interpreter provider renders and `tappass_host.runners` obeys: which engine, under which policy, with
which limits, folders, environment, host functions, imports and network. Strict: an unknown field, a wrong
type or an entry that does not parse refuses the whole manifest, and then nothing runs.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tappass_host.policy.canonical import canonical_bytes
from tappass_host.policy.decode import convert
from tappass_host.policy.errors import GrammarError
from tappass_host.policy.grammar.addresses import parse_cidr
from tappass_host.policy.grammar.constraints import Constraint
from tappass_host.policy.grammar.domains import parse_domain
from tappass_host.policy.times import parse_instant
from tappass_host.policy.wire import pointer, strict_json

SCHEMA = "tappass.interpreter-manifest/v1"

# Upper ends are sanity bounds: a manifest beyond them is a mistake, not a wish.
_DAY_MS = 86_400_000
_GIB = 1 << 30
Millis = Annotated[int, Meta(ge=0, le=_DAY_MS)]
Bytes = Annotated[int, Meta(ge=0, le=64 * _GIB)]
Text = Annotated[str, Meta(max_length=4096)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Texts = tuple[Text, ...]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_VERSIONS = re.compile(r"[0-9]+(\.[0-9]+)*(,[0-9]+(\.[0-9]+)*)*")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of the manifest: immutable, keyword-only, unknown fields refused."""


class Target(Node, frozen=True, kw_only=True):
    """Which engine, and which of its releases.

    `versions` holds comma-separated prefixes, `1.4` matches 1.4.0 and 1.4.7; empty means those the runner was
    proven against.
    """

    id: Name
    versions: Text = ""


class PolicyRef(Node, frozen=True, kw_only=True):
    """The policy this manifest was rendered from. Instants are RFC 3339, UTC."""

    digest: Text
    version: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    not_before: Text
    expires_at: Text


class Limits(Node, frozen=True, kw_only=True):
    """What one run may use.

    `cpu_time_ms` is time the code executes; `wall_ms` is everything, the start of the engine included.
    `suspensions` counts calls, name look-ups and file operations that leave the interpreter.
    """

    memory_bytes: Annotated[int, Meta(ge=1 << 20, le=64 * _GIB)]
    cpu_time_ms: Annotated[int, Meta(ge=1, le=_DAY_MS)]
    wall_ms: Annotated[int, Meta(ge=1, le=_DAY_MS)]
    recursion: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    suspensions: Annotated[int, Meta(ge=0, le=1_000_000)] = 1000
    sleep_ms: Millis = 0
    stdout_bytes: Annotated[int, Meta(ge=0, le=_GIB // 16)] = 1 << 16
    result_bytes: Annotated[int, Meta(ge=4, le=_GIB // 16)] = 1 << 20


class Mount(Node, frozen=True, kw_only=True):
    """A folder of the host shown to the code. `write_bytes` caps all that one run writes through it."""

    host: Text
    guest: Text
    mode: Literal["ro", "rw"] = "ro"
    write_bytes: Bytes = 0


class HostFunction(Node, frozen=True, kw_only=True):
    """A function of the host the code may call. Every constrained argument is checked on every call."""

    name: Name
    constraints: dict[Name, Constraint] = {}
    max_calls: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None


class Imports(Node, frozen=True, kw_only=True):
    """Which modules may be imported. `allow` null leaves it to the engine; a name covers its submodules."""

    allow: Texts | None = None
    deny: Texts = ()


class Network(Node, frozen=True, kw_only=True):
    """Where the shipped host function `http_get` may connect."""

    mode: Literal["off", "allowlist"] = "off"
    allow: Texts = ()
    deny: Texts = ()
    allow_cidrs: Texts = ()
    local: Literal["deny", "allow"] = "deny"


class Manifest(Node, frozen=True, kw_only=True):
    """The whole manifest of one interpreter."""

    schema: Literal["tappass.interpreter-manifest/v1"] = "tappass.interpreter-manifest/v1"
    target: Target
    policy: PolicyRef
    mode: Literal["enforce", "observe"] = "enforce"
    tenant: Text = ""
    limits: Limits
    mounts: tuple[Mount, ...] = ()
    env: dict[Name, Text] = {}
    host_functions: tuple[HostFunction, ...] = ()
    imports: Imports = Imports()
    network: Network = Network()


def encode_manifest(manifest: Manifest) -> bytes:
    """Write a manifest in canonical form; its digest is taken over these bytes."""
    return canonical_bytes(manifest)


def decode_manifest(data: bytes, *, source: str = "") -> Manifest:
    """Read a manifest strictly.

    Raises:
        WireError: the bytes are not strict JSON.
        SchemaError: unknown field, missing field, wrong type or an amount out of bounds.
        GrammarError: an entry that does not parse, or two that contradict each other.
    """
    manifest = convert(strict_json(data, source=source), Manifest, source=source)
    check_manifest(manifest, source=source)
    return manifest


def check_manifest(manifest: Manifest, *, source: str = "") -> None:
    """Check what types cannot say.

    Raises:
        GrammarError: naming the entry.
    """
    for path, entry, rule in _entries(manifest):
        try:
            rule(entry)
        except GrammarError as error:
            raise error.at(pointer=pointer(path), source=source) from None
    for disjoint in ("guest", "host"):
        _check_disjoint([getattr(mount, disjoint) for mount in manifest.mounts], disjoint)


Rule = Callable[[str], object]


def _entries(m: Manifest) -> Iterable[tuple[tuple[str | int, ...], str, Rule]]:
    """Every text of the manifest that has a grammar, with its place and that grammar."""
    if m.target.versions:
        yield ("target", "versions"), m.target.versions, _form(_VERSIONS, "a list of release prefixes", "1.4")
    yield ("policy", "digest"), m.policy.digest, _form(_DIGEST, "a digest", "sha256:<64 hex digits>")
    yield ("policy", "not_before"), m.policy.not_before, parse_instant
    yield ("policy", "expires_at"), m.policy.expires_at, parse_instant
    for at, mount in enumerate(m.mounts):
        yield ("mounts", at, "host"), mount.host, _plain_path
        yield ("mounts", at, "guest"), mount.guest, _plain_path
    for name, value in m.env.items():
        yield ("env", name), name, _form(_IDENTIFIER, "a variable name", "LANG")
        yield ("env", name), value, _no_nul
    yield from _function_entries(m)
    yield from _listed(
        ("imports", "allow"), m.imports.allow or (), _form(_MODULE, "a module name", "os.path")
    )
    yield from _listed(("imports", "deny"), m.imports.deny, _form(_MODULE, "a module name", "os.path"))
    yield from _listed(("network", "allow"), m.network.allow, parse_domain)
    yield from _listed(("network", "deny"), m.network.deny, parse_domain)
    yield from _listed(("network", "allow_cidrs"), m.network.allow_cidrs, parse_cidr)


def _function_entries(m: Manifest) -> Iterable[tuple[tuple[str | int, ...], str, Rule]]:
    seen: set[str] = set()
    for at, function in enumerate(m.host_functions):
        place = ("host_functions", at, "name")
        yield place, function.name, _form(_IDENTIFIER, "a function name", "http_get")
        if function.name in seen:
            raise GrammarError(f"host function {function.name} is listed twice", pointer=pointer(place))
        seen.add(function.name)


def _listed(
    path: tuple[str, ...], entries: Texts, rule: Rule
) -> Iterable[tuple[tuple[str | int, ...], str, Rule]]:
    return (((*path, at), entry, rule) for at, entry in enumerate(entries))


def _form(pattern: re.Pattern[str], what: str, example: str) -> Rule:
    def rule(text: str) -> None:
        if not pattern.fullmatch(text):
            raise GrammarError(f"{text!a} is not {what}", remedy=f"write {example}")

    return rule


def _no_nul(text: str) -> None:
    if "\0" in text:
        raise GrammarError("a NUL character cannot be in an environment")


def _plain_path(text: str) -> None:
    """Absolute, one spelling, no way up: what is compared is then what is opened."""
    plain = text.startswith("/") and str(PurePosixPath(text)) == text and ".." not in text.split("/")
    if not plain or not text.isprintable() or text.startswith("//"):
        raise GrammarError(
            f"{text!a} is not a plain absolute path", remedy="write /srv/data, without . or .."
        )


def _check_disjoint(paths: list[str], what: str) -> None:
    """Two mounts where one holds the other would let the looser mode reach behind the stricter."""
    for at, path in enumerate(paths):
        for other in paths[:at]:
            if PurePosixPath(path).is_relative_to(other) or PurePosixPath(other).is_relative_to(path):
                raise GrammarError(
                    f"{what} folders {other} and {path} overlap",
                    pointer=pointer(("mounts", at, what)),
                    remedy="mount folders of which none holds another",
                )
