"""The small world that conformance runs in: what exists, and a host that answers a provider's questions."""

from typing import Final

from tappass_host.policy.grammar.paths import parse_path
from tappass_host.sdk.facts import Answer, Query

DIRS: Final = (
    "/",
    "/etc",
    "/home",
    "/home/u",
    "/home/u/.ssh",
    "/opt",
    "/run",
    "/tmp",  # noqa: S108 - a name in a made-up world
    "/usr",
    "/usr/bin",
    "/ws",
    "/ws/a",
    "/ws/a/b",
    "/ws/secret",
    "/ws/vendor",
    "/ws/vendor/tmp",
)
FILES: Final = (
    "/etc/passwd",
    "/etc/shadow",
    "/home/u/.ssh/id",
    "/home/u/notes",
    "/opt/tool",
    "/run/docker.sock",
    "/tmp/x",  # noqa: S108
    "/usr/bin/git",
    "/ws/.env",
    "/ws/a/.env",
    "/ws/a/b/x",
    "/ws/a/x",
    "/ws/secret/key",
    "/ws/vendor/.env",
    "/ws/vendor/tmp/x",
    "/ws/vendor/x",
    "/ws/x",
)
# Where a target of this world finds the logical roots.
PATHS: Final = {
    "etc": "/etc",
    "home": "/home/u",
    "workspace": "/ws",
    "state": "/var/lib/tappass",
    "run": "/run/tappass",
}

_KINDS: Final = {**dict.fromkeys(DIRS, "dir"), **dict.fromkeys(FILES, "file")}
_FIXED: Final[dict[str, Answer]] = {"uid": 1000, "feature": True, "program_version": "1.0"}


def answer(query: Query) -> Answer | None:
    """What the host of this world says; None if it cannot say."""
    match query.kind:
        case "path_kind":
            return _KINDS.get(query.arg, "missing")
        case "glob":
            rule = parse_path(query.arg)
            return tuple(sorted(path for path in _KINDS if rule.covers_node(path)))
        case "program":
            return f"/usr/bin/{query.arg}"
    return _FIXED.get(query.kind)
