"""Is the new network aspect narrower than the old one."""

from collections.abc import Iterator

from tappass_host.policy import actions as a
from tappass_host.policy.effective import EffectivePolicy, NetRule
from tappass_host.policy.grammar.addresses import CidrRule
from tappass_host.policy.grammar.domains import DEFAULT_PORTS, DomainRule
from tappass_host.policy.narrower.gap import Covering, Gap, gap, looser, missing
from tappass_host.policy.narrower.witness import address, connect


def network_gaps(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    """What of the new policy is not proven to be within the old one."""
    mine, theirs = new.doc.network, old.doc.network
    assert mine is not None
    assert theirs is not None
    if looser(mine.default, theirs.default):
        yield gap(new.id("network.default"), "unlisted places open up", *_UNLISTED)
    if looser(mine.local, theirs.local):
        yield gap(new.id("network.local"), "local addresses open up", *_LOCAL)
    yield from _lost_denials(new, old)
    if theirs.default == "allow":
        return
    domains = Covering((rule.domain for rule in old.net.allow), DomainRule.covers)
    for rule in new.net.allow:
        if not domains.holds(rule.domain):
            yield gap(rule.statement, "a new destination", *connect(rule.domain))
    ranges = Covering((entry.cidr for entry in old.net.cidrs), CidrRule.covers)
    for entry in new.net.cidrs:
        if not ranges.holds(entry.cidr):
            yield gap(entry.statement, "new addresses", *address(entry.cidr))
    for path in missing(theirs.allow_unix, mine.allow_unix):
        yield gap(f"network.allow_unix[{path}]", "a new socket", a.UnixConnect(path=path))


_UNLISTED = (
    a.Connect(host="unlisted.example.net"),
    a.Connect(host="198.51.100.7"),
    a.UnixConnect(path="/run/unlisted.sock"),
)
_LOCAL = (a.Connect(host="127.0.0.1"), a.Connect(host="169.254.169.254", port=80), a.Connect(host="10.0.0.1"))


def _lost_denials(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    kept = Covering((rule.domain for rule in new.net.deny), DomainRule.covers_deny)
    for rule in old.net.deny:
        if not kept.holds(rule.domain) and not _shut(new, rule):
            yield gap(rule.statement, "a denial is gone", *connect(rule.domain))


def _shut(new: EffectivePolicy, rule: NetRule) -> bool:
    """True if nothing that the rule denied is granted by anything else either."""
    assert new.doc.network is not None
    return new.doc.network.default == "deny" and not any(meet(rule.domain, g.domain) for g in new.net.allow)


def meet(deny: DomainRule, allow: DomainRule) -> bool:
    """True unless no connection is named by both, the first read as a denial, the second as an allow."""
    if deny.port is not None and deny.port not in ((allow.port,) if allow.port else DEFAULT_PORTS):
        return False
    bare = (DomainRule(r.host, r.wildcard) for r in (deny, allow))
    one, two = bare
    return one.covers_deny(two) or two.covers_deny(one)
