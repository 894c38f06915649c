"""Lint of a compiled policy: rules that allow more than they say, that are very wide, or that do nothing.

Nothing here changes a verdict; a finding is a remark to the author, with the place of the rule.
"""

from collections.abc import Callable, Iterator

from tappass_host.policy.effective import EffectivePolicy, NetRule, ToolEntry
from tappass_host.policy.finding import Finding
from tappass_host.policy.grammar.commands import CommandPattern, base_name
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.launchers import LAUNCHERS, MODEL_VENDORS, SHARED_HOSTING
from tappass_host.policy.model import Policy

Remark = tuple[str, str, str, str]  # code, statement, sentence, remedy


def lint(policy: Policy) -> list[Finding]:
    """All findings, sorted by place and code."""
    effective = EffectivePolicy(policy)
    found = {
        Finding(code, f"{statement}: {what}", _place(policy, statement), remedy, statement)
        for check in _CHECKS
        for code, statement, what, remedy in check(effective)
    }
    return sorted(found, key=lambda f: (f.source, f.statement, f.code))


def _place(policy: Policy, statement: str) -> str:
    found = policy.provenance.get(statement)
    return found.source if found else ""


def _launchers(policy: EffectivePolicy) -> Iterator[Remark]:
    for entry in policy.tools.allow:
        spec = entry.rule.spec
        if isinstance(spec, CommandPattern) and spec.prefix:
            words = (base_name(spec.words[0]), *spec.words[1:])
            if words in LAUNCHERS:
                remedy = "name subcommands instead, and let files and network rules hold what runs"
                yield "launcher", entry.statement, LAUNCHERS[words], remedy


def _wide_tools(policy: EffectivePolicy) -> Iterator[Remark]:
    for entry in policy.tools.allow:
        if entry.rule.matches("Bash") and entry.rule.spec is None:
            yield "wide", entry.statement, "allows every shell command", "name commands: Bash(ls *)"


def _wide_network(policy: EffectivePolicy) -> Iterator[Remark]:
    for rule in policy.net.allow:
        for host in SHARED_HOSTING:
            if rule.domain.wildcard and (host == rule.domain.host or host.endswith("." + rule.domain.host)):
                yield "wide", rule.statement, "anyone can publish under this name", "name the hosts you mean"
                break
    for entry in policy.net.cidrs:
        network = entry.cidr.network
        if network.prefixlen < {4: 16, 6: 32}[network.version]:
            yield "wide", entry.statement, "a very wide range", "name smaller ranges, or domains"


def _wide_files(policy: EffectivePolicy) -> Iterator[Remark]:
    for grant in policy.fs.grants:
        whole = not grant.path.segments and grant.path.root in ("/", "~")
        if whole and grant.access == "write":
            remedy = "name the folders that are really written"
            yield "wide", grant.statement, "makes programs and start-up files of the user writable", remedy


def _relative_denials(policy: EffectivePolicy) -> Iterator[Remark]:
    node = policy.doc.filesystem
    readable = policy.fs.default == "read_only" or any(g.access == "read" for g in policy.fs.grants)
    for entry in node.deny_paths if node and policy.fs.default != "allow" and readable else ():
        if not entry.startswith(("/", "~", "$")):
            what = "hangs from the writable folders only; what is readable elsewhere is not denied by it"
            yield (
                "relative-deny",
                f"filesystem.deny_paths[{entry}]",
                what,
                f"add /**/{entry.removeprefix('**/')}",
            )


def _dead_tools(policy: EffectivePolicy) -> Iterator[Remark]:
    index = policy.tools
    for entry in (*index.allow, *index.ask):
        yield from _beaten(entry, index.deny)
    for entry in index.allow:
        yield from _beaten(entry, index.ask)


def _beaten(entry: ToolEntry, stronger: tuple[ToolEntry, ...]) -> Iterator[Remark]:
    for other in stronger:
        if other.rule.covers(entry.rule):
            yield (
                "dead",
                entry.statement,
                f"never applies: {other.statement} is stronger",
                "remove one of the two",
            )


def _dead_network(policy: EffectivePolicy) -> Iterator[Remark]:
    node = policy.doc.network
    by_host: dict[str, list[NetRule]] = {}
    for rule in policy.net.deny:
        by_host.setdefault(rule.domain.host, []).append(rule)
    for rule in policy.net.allow:
        for host in _suffixes(rule.domain.host):
            for other in by_host.get(host, ()):
                if _denies_all(other.domain, rule.domain):
                    what = f"never applies: {other.statement} is stronger"
                    yield "dead", rule.statement, what, "remove one of the two"
        if node and node.default == "allow":
            yield "dead", rule.statement, "says what network.default: allow says already", "remove it"


def _suffixes(host: str) -> Iterator[str]:
    while host:
        yield host
        host = host.partition(".")[2]


def _denies_all(deny: DomainRule, allow: DomainRule) -> bool:
    """True if nothing is left of an allow; without a port a denial means every port."""
    same_port = DomainRule(allow.host, allow.wildcard, deny.port)
    return deny.port in (None, allow.port) and deny.covers_deny(same_port)


def _dead_files(policy: EffectivePolicy) -> Iterator[Remark]:
    for grant in policy.fs.grants:
        for other in policy.fs.denies:
            if other.path.covers(grant.path):
                yield (
                    "dead",
                    grant.statement,
                    f"never applies: {other.statement} is stronger",
                    "remove one of the two",
                )
    read_only = {g.path: g.statement for g in policy.fs.grants if g.access == "read"}
    for grant in policy.fs.grants:
        if grant.access == "write" and grant.path in read_only:
            what = f"never applies: of two equal paths {read_only[grant.path]} holds"
            yield "dead", grant.statement, what, "remove one of the two"


def _dead_names(policy: EffectivePolicy) -> Iterator[Remark]:
    doc = policy.doc
    if doc.interpreter:
        for name in doc.interpreter.allow_imports:
            if any(name == d or name.startswith(d + ".") for d in doc.interpreter.deny_imports):
                yield (
                    "dead",
                    f"interpreter.allow_imports[{name}]",
                    "never applies: its import is denied",
                    "remove it",
                )
    if doc.credentials:
        for secret in doc.credentials.secrets:
            if secret.env in doc.credentials.hide_env:
                yield (
                    "dead",
                    f"credentials.secrets[{secret.env}]",
                    "never applies: it is hidden",
                    "remove one of the two",
                )
    for server in doc.mcp.servers if doc.mcp else ():
        for name in server.tools.allow:
            at = f"mcp.servers[{server.id}].tools"
            for effect in ("deny", "ask"):
                if name in getattr(server.tools, effect):
                    what = f"never applies: {at}.{effect}[{name}] is stronger"
                    yield "dead", f"{at}.allow[{name}]", what, "remove one of the two"


def _fetch_nowhere(policy: EffectivePolicy) -> Iterator[Remark]:
    node = policy.doc.network
    if node is None or node.default == "allow" or node.allow_domains or node.allow_cidrs:
        return
    for entry in policy.tools.allow:
        if entry.rule.matches("WebFetch"):
            what = "never applies: the network aspect allows no destination"
            yield "dead", entry.statement, what, "add network.allow_domains, or remove it"


def _past_the_gateway(policy: EffectivePolicy) -> Iterator[Remark]:
    if policy.doc.llm is None:
        return
    for rule in policy.net.allow:
        if any(rule.domain.matches_host(host) for host in MODEL_VENDORS):
            what = "a model vendor reached directly passes by the llm aspect and its budget"
            yield "past-gateway", rule.statement, what, "remove it, and list the vendor under llm.upstreams"


_CHECKS: tuple[Callable[[EffectivePolicy], Iterator[Remark]], ...] = (
    _launchers,
    _wide_tools,
    _wide_network,
    _wide_files,
    _relative_denials,
    _dead_tools,
    _dead_network,
    _dead_files,
    _dead_names,
    _fetch_nowhere,
    _past_the_gateway,
)
