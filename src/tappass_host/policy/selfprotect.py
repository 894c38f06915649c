"""Self-protection: what no policy can take away, said as ordinary statements of level `runtime`.

No write to the configuration of any target, nor to files that make a program outside run a command; no access
to our own state, sockets and keys, nor to the sockets of docker, ssh-agent and D-Bus unless the policy lists
them. A file that must stay readable becomes a read_only entry inside the folder that may be written; it is
made as specific as any grant that could beat it, and never given where it would grant a read.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from tappass_host.policy.amend import Addition, amend, managed_files
from tappass_host.policy.decide_fs import file_checks
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.globs import after_names
from tappass_host.policy.grammar.paths import parse_path, split_path
from tappass_host.policy.model import Policy
from tappass_host.policy.trampolines import ANYWHERE, HOME, SOCKETS, Sockets, Trampoline

SOURCE: Final = "self-protection"
_READ_ONLY: Final = "filesystem.read_only"
_DENY: Final = "filesystem.deny_paths"
_CONFIG: Final = "configuration of a target: only the host writes it"
_STATE: Final = "state, sockets and keys of the host"


def protect(
    policy: Policy,
    *,
    config_paths: Sequence[str],
    state_paths: Sequence[str],
    home: str = "~",
    sockets: Mapping[str, Sequence[str]] | None = None,
) -> Policy:
    """Add the self-protection statements. It never widens, and doing it twice changes nothing.

    Args:
        policy: with every grant that is going to be in it; a grant added later may beat an entry.
        config_paths: files (or folders of files) that targets are configured by, in the agent's view.
        state_paths: state, admin sockets, keys and audit of the host.
        home: home of the sandbox user as the policy spells it.
        sockets: word of `network.allow_unix` -> where that socket really is on this host.
    """
    named = _name_sockets(managed_files(policy, SOURCE), home, sockets or {})
    files = _Files(named)
    return amend(
        named,
        (
            *(a for path in config_paths for a in files.pinned(path, _CONFIG)),
            *(a for t in HOME for a in files.pinned(f"{home}/{t.path}", t.why)),
            *(a for t in ANYWHERE for a in files.below_roots(t)),
            *(Addition(_DENY, path, SOURCE, _STATE) for path in state_paths),
            *_deny_sockets(named, policy, home),
        ),
    )


class _Files:
    """Where the policy lets anybody write, asked for one path after the other.

    `roots` are the folders that may be written. `closed` are the anchors of grants with a star that may not
    even be read themselves: a read_only entry there would be a grant, so what is protected there is denied.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = EffectivePolicy(policy)
        assert policy.filesystem is not None
        self.open = policy.filesystem.default == "allow"
        anchors = {g.path.anchor for g in self.policy.fs.grants if g.access == "write" and not g.tail}
        self.closed = tuple(sorted(a for a in anchors if not self._may("read", a)))
        self.roots = tuple(sorted(anchors.difference(self.closed)))

    def pinned(self, path: str, why: str) -> Iterator[Addition]:
        """One fixed path: itself where it could be written, and every grant anchored in it."""
        if self._may("write", path):
            yield Addition(_READ_ONLY, path, SOURCE, why)
        rule = parse_path(path)
        yield from (Addition(_READ_ONLY, root, SOURCE, why) for root in self.roots if rule.matches(root))
        yield from (Addition(_DENY, root, SOURCE, why) for root in self.closed if rule.matches(root))

    def below_roots(self, trampoline: Trampoline) -> Iterator[Addition]:
        """A path below every folder that may be written, however deep the grant reaches into it."""
        pattern, why = ("**", *trampoline.path.split("/")), trampoline.why
        # A relative entry is anchored at each root at once, except where everything may be written: then
        # only at the top, where any grant further down would beat it.
        relative = not self.open and not self.closed
        if self.open or (relative and self.roots):
            yield Addition(_READ_ONLY, "/".join(pattern), SOURCE, why)
        for field, roots in ((_READ_ONLY, self.roots), (_DENY, self.closed)):
            for root in roots:
                for rest in _completions(pattern, root, anywhere=not relative):
                    yield Addition(field, rest, SOURCE, why)

    def _may(self, op: Literal["read", "write"], path: str) -> bool:
        return all(check.effect is not Effect.DENY for check in file_checks(self.policy, op, path))


def _completions(pattern: tuple[str, ...], root: str, *, anywhere: bool) -> Iterator[str]:
    """What is still missing of the pattern below a root that reaches into it, or is past its end."""
    states = after_names(pattern, split_path(root)[1])
    # State 0 is the whole pattern below the root, state 1 a part of that.
    for state in (*((0,) if anywhere else ()), *range(2, len(pattern) + 1)):
        if states >> state & 1:
            yield "/".join((root.rstrip("/"), *pattern[state:])) or "/"


def _name_sockets(policy: Policy, home: str, found: Mapping[str, Sequence[str]]) -> Policy:
    """Replace the words of `network.allow_unix` by the paths they stand for here."""
    network = policy.network
    if network is None or not any(word in SOCKETS for word in network.allow_unix):
        return policy
    words = [word for word in network.allow_unix if word in SOCKETS]
    paths = tuple(sorted(path for path in network.allow_unix if path not in SOCKETS))
    node = msgspec.structs.replace(network, allow_unix=paths)
    places = ((w, _at_home(p, home)) for w in words for p in (*SOCKETS[w].paths, *found.get(w, ())))
    entries = [Addition("network.allow_unix", path, f"network.allow_unix[{word}]") for word, path in places]
    forgotten = {f"network.allow_unix[{word}]" for word in words}
    return amend(_forget(msgspec.structs.replace(policy, network=node), forgotten), entries)


def _forget(policy: Policy, statements: set[str]) -> Policy:
    """Drop what was noted about statements that are no more."""
    tags = {t: tuple(i for i in ids if i not in statements) for t, ids in policy.compliance_tags.items()}
    return msgspec.structs.replace(
        policy,
        provenance={i: p for i, p in policy.provenance.items() if i not in statements},
        annotations={i: a for i, a in policy.annotations.items() if i not in statements},
        compliance_tags=tags,
    )


def _deny_sockets(policy: Policy, asked: Policy, home: str) -> Iterator[Addition]:
    listed = policy.network.allow_unix if policy.network else ()
    words = asked.network.allow_unix if asked.network else ()
    for word, family in SOCKETS.items():
        if word not in words:
            for path in _places(family, home):
                if not any(parse_path(path).matches(socket) for socket in listed):
                    yield Addition(_DENY, path, SOURCE, family.why)


def _places(family: Sockets, home: str) -> Iterator[str]:
    return (_at_home(path, home) for path in (*family.paths, *family.patterns))


def _at_home(path: str, home: str) -> str:
    return home + path[1:] if path.startswith("~/") else path
