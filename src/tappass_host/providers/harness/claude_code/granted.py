"""What a policy's own rules let run, asked by name: nothing of that may be closed, all else has to be."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Literal

from tappass_host.policy.effective import EffectivePolicy, ToolEntry
from tappass_host.policy.grammar.commands import CommandPattern, base_name
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.grammar.paths import PathRule, parse_path
from tappass_host.providers.harness.claude_code.spelling import is_spellable, only_runs_others

Covered = Literal["whole", "bare", "partly", "none"]


class Granted:
    """The allow and ask rules of a policy, indexed once."""

    def __init__(self, policy: EffectivePolicy) -> None:
        self._policy = policy
        tools = policy.doc.tools
        self.default = tools.default if tools else "unmanaged"
        self._entries: tuple[ToolEntry, ...] = (*policy.tools.allow, *policy.tools.ask)

    @cached_property
    def _named(self) -> frozenset[str]:
        return frozenset(name for entry in self._entries for name in entry.rule.tools)

    @cached_property
    def _bare(self) -> frozenset[str]:
        bare = (entry.rule for entry in self._entries if entry.rule.spec is None)
        return frozenset(name for rule in bare for name in rule.tools)

    def uses(self, name: str) -> bool:
        """Whether a tool may run, at least in part."""
        return self.default != "deny" or name in self._named

    def names(self, name: str) -> bool:
        """Whether some rule lets a tool run, at least in part."""
        return name in self._named

    def bare(self, name: str) -> bool:
        """Whether a tool may run whatever it is told, as far as the tools aspect goes."""
        return self.default in ("allow", "unmanaged") or name in self._bare

    # Commands.

    @cached_property
    def commands(self) -> dict[str, list[CommandPattern]]:
        """Base name of a program -> the patterns that let it run here."""
        found: dict[str, list[CommandPattern]] = defaultdict(list)
        for entry in self._entries:
            spec = entry.rule.spec
            if isinstance(spec, CommandPattern) and is_spellable(spec) and not only_runs_others(spec):
                found[base_name(spec.words[0])].append(spec)
        return found

    def covers(self, words: tuple[str, ...]) -> Covered:
        """How much of the commands beginning so the rules let run; `bare` if just the one without more."""
        if "Bash" in self._bare:
            return "whole"
        found = [s for s in self.commands.get(base_name(words[0]), ()) if _meets(s, words)]
        if not found:
            return "none"
        if any(s.prefix and s.words == words[: len(s.words)] for s in found):
            return "whole"
        return "bare" if all(s.words == words and not s.prefix for s in found) else "partly"

    # Hosts.

    @cached_property
    def _asked_hosts(self) -> "_Hosts":
        specs = (e.rule.spec for e in self._entries if "WebFetch" in e.rule.tools)
        rules = [spec for spec in specs if isinstance(spec, DomainRule)]
        return _Hosts(rules, everything=self.bare("WebFetch"))

    @cached_property
    def _open_hosts(self) -> "_Hosts":
        network = self._policy.doc.network
        rules = [rule.domain for rule in self._policy.net.allow]
        return _Hosts(rules, everything=network is None or network.default == "allow")

    def fetches(self, host: str, parents: Iterable[str]) -> bool:
        """Whether some page of a host may be fetched, by both aspects. `parents` are the names above it."""
        return self._asked_hosts.has(host, parents) and self._open_hosts.has(host, parents)

    # Files.

    def reads_workspace(self) -> bool:
        """Whether all of the working folder may be read, by both aspects."""
        return self._reaches("Read", ("write", "read"))

    def writes_workspace(self) -> bool:
        """Whether all of the working folder may be written, by both aspects."""
        return self._reaches("Write", ("write",))

    def _reaches(self, tool: str, accesses: tuple[str, ...]) -> bool:
        node = self._policy.doc.filesystem
        if node is None:
            return self.bare(tool)
        opened = node.default == "allow" or (node.default == "read_only" and tool == "Read")
        if not node.workspace:
            return opened and self.bare(tool)
        path = parse_path(node.workspace)
        granted = opened or any(g.access in accesses and g.path.covers(path) for g in self._policy.fs.grants)
        specs = [e.rule.spec for e in self._entries if tool in e.rule.tools]
        named = any(isinstance(s, PathRule) and s.covers(path) for s in specs)
        return granted and (self.bare(tool) or named)


class _Hosts:
    """Names and wildcards, to look hosts up in."""

    def __init__(self, rules: list[DomainRule], *, everything: bool) -> None:
        self._everything = everything
        self._exact = frozenset(rule.host for rule in rules if not rule.wildcard)
        self._below = frozenset(rule.host for rule in rules if rule.wildcard)

    def has(self, host: str, parents: Iterable[str]) -> bool:
        return self._everything or host in self._exact or not self._below.isdisjoint(parents)


def _meets(pattern: CommandPattern, words: tuple[str, ...]) -> bool:
    """Whether a pattern lets some command run that begins so. A deny sees through a program's folder."""
    size = min(len(pattern.words), len(words))
    return pattern.words[1:size] == words[1:size] and (pattern.prefix or len(pattern.words) >= len(words))
