"""What a rendering is made of: documents with a logical place, and the few values known only on the host."""

from typing import Literal

from msgspec import Struct

Codec = Literal["json", "toml", "yaml", "text", "lines", "argv", "env", "bytes", "launch", "sql"]
Root = Literal["etc", "home", "workspace", "state", "run", "none"]
Scope = Literal["host", "user", "workspace", "sandbox"]


class SecretRef(Struct, frozen=True, tag="secret"):
    """A reference to a secret; its value never enters a policy, a rendering or a log."""

    ref: str


class ArtifactPath(Struct, frozen=True, tag="artifact"):
    """Where another artifact of the same rendering ends up on the host."""

    id: str


class Endpoint(Struct, frozen=True, kw_only=True, tag="endpoint"):
    """Where a service listens: a unix socket path, or `host:port`, or both."""

    id: str
    unix: str = ""
    tcp: str = ""


class Artifact(Struct, frozen=True, kw_only=True):
    """One file, launch description, resource or blob.

    Attributes:
        id: unique within the provider's rendering; locators start with it.
        root: logical root; the host maps it (`etc` is `/etc` on Linux), tests map it elsewhere.
        path: relative to the root, forward slashes.
        codec: how `doc` becomes bytes.
        doc: plain lists, dicts and scalars; leaves may be SecretRef, ArtifactPath or Endpoint.
        owned: top-level keys that are ours when the file is shared with its user; empty means the whole file.
    """

    id: str
    kind: Literal["file", "launch", "resource", "blob"] = "file"
    root: Root = "state"
    path: str = ""
    codec: Codec = "json"
    doc: object = None
    scope: Scope = "sandbox"
    owner: Literal["root", "user"] = "root"
    mode: int = 0o644
    owned: tuple[str, ...] = ()


class Launch(Struct, frozen=True, kw_only=True):
    """How a process is started. A kernel use wraps the launch of what it encloses.

    Attributes:
        program: name resolved by the target's detector, never by PATH at launch.
        args: literal arguments; an ArtifactPath becomes the artifact's absolute path.
        env: the complete environment; nothing is inherited.
        fds: descriptor number -> artifact opened read-only on it.
        rlimits: resource name (`nofile`, `nproc`, `as`, `cpu`, `fsize`, `core`) -> hard and soft value.
    """

    program: str
    args: tuple[str | ArtifactPath, ...] = ()
    env: dict[str, str | SecretRef] = {}
    fds: dict[str, ArtifactPath] = {}
    rlimits: dict[str, int] = {}
