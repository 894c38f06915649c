import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tappass_host.dataplane.egress.rules import Rules, canonical_target
from tappass_host.dataplane.egress.tls import Hello
from tappass_host.policy.actions import Connect
from tappass_host.policy.decide import decide
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Network, Policy

DENY, OPAQUE = "deny", "opaque"
CASES = {
    # host, port: verdict, statement
    ("a.example.com", 443): ("allow", "network.allow_domains[*.example.com]"),
    ("a.b.example.com", 80): ("allow", "network.allow_domains[*.example.com]"),
    ("A.EXAMPLE.com.", 443): ("allow", "network.allow_domains[*.example.com]"),
    ("example.com", 443): (DENY, "network.default[deny]"),
    ("a.example.com", 22): (DENY, "network.default[deny]"),
    ("notexample.com", 443): (DENY, "network.default[deny]"),
    ("a.example.com.evil.test", 443): (DENY, "network.default[deny]"),
    ("bad.example.com", 443): (DENY, "network.deny_domains[bad.example.com]"),
    ("bad.example.com", 8443): (DENY, "network.deny_domains[bad.example.com]"),
    ("hooks.example.com", 443): (DENY, "network.deny_categories[webhooks]"),
    ("api.x.test", 8443): ("allow", "network.allow_domains[api.x.test:8443]"),
    ("api.x.test", 443): (DENY, "network.default[deny]"),
    ("raw.test", 22): (OPAQUE, "network.allow_domains[raw.test:22]"),
    ("raw.test", 443): (DENY, "network.default[deny]"),
    ("203.0.113.66", 443): ("allow", "network.allow_cidrs[203.0.113.66/32]"),
    ("0xcb.0.0x71.66", 443): ("allow", "network.allow_cidrs[203.0.113.66/32]"),
    ("[::ffff:203.0.113.66]", 443): ("allow", "network.allow_cidrs[203.0.113.66/32]"),
    ("[64:ff9b::cb00:7142]", 443): ("allow", "network.allow_cidrs[203.0.113.66/32]"),
    ("203.0.113.66", 22): (DENY, "network.default[deny]"),
    ("198.51.100.9", 9000): ("allow", "network.allow_cidrs[198.51.100.0/24:9000]"),
    ("203.0.113.67", 443): (DENY, "network.default[deny]"),
    ("127.0.0.1", 443): (DENY, "network.local[deny]"),
    ("2130706433", 443): (DENY, "network.local[deny]"),
    ("0x7f.1", 443): (DENY, "network.local[deny]"),
    ("0177.0.0.01", 443): (DENY, "network.local[deny]"),
    ("[::1]", 443): (DENY, "network.local[deny]"),
    ("[::ffff:127.0.0.1]", 443): (DENY, "network.local[deny]"),
    ("[64:ff9b::a9fe:a9fe]", 80): (DENY, "network.local[deny]"),
    ("169.254.169.254", 80): (DENY, "network.local[deny]"),
    ("0", 80): (DENY, "network.local[deny]"),
    ("localhost", 443): (DENY, "network.local[deny]"),
    ("a.localhost", 443): (DENY, "network.local[deny]"),
}


@pytest.mark.parametrize(("host", "port"), CASES)
def test_destination(egress, host, port):
    verdict = Rules(egress.config()).judge(canonical_target(host), port)
    spelled = DENY if not verdict.allowed else OPAQUE if verdict.opaque else "allow"
    assert (spelled, verdict.rule) == CASES[host, port]


@pytest.mark.parametrize(
    "host", ["1.2.3.4.5", "a..b", "-a.test", "1.2.3.999", "fe80::1%eth0", "a" * 64 + ".test", ""]
)
def test_no_destination(host):
    assert canonical_target(host) is None


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1", "fe80::1%eth0", "x"],
)
def test_an_address_that_a_name_may_not_lead_to(egress, address):
    assert Rules(egress.config()).judge_address(address) is not None


def test_an_address_that_a_name_may_lead_to(egress):
    assert Rules(egress.config()).judge_address("203.0.113.1") is None
    assert Rules(egress.config(local="allow")).judge_address("10.0.0.1") is None


HELLOS = {
    "the same name": ("good.test", Hello((b"good.test",), hidden=False), True),
    "the same name in capitals": ("good.test", Hello((b"GOOD.test",), hidden=False), True),
    "another name": ("good.test", Hello((b"evil.test",), hidden=False), False),
    "no name": ("good.test", Hello((), hidden=False), False),
    "two names": ("good.test", Hello((b"good.test", b"evil.test"), hidden=False), False),
    "the name twice": ("good.test", Hello((b"good.test", b"good.test"), hidden=False), False),
    "final dot": ("good.test", Hello((b"good.test.",), hidden=False), False),
    "nul behind the name": ("good.test", Hello((b"good.test\0.evil.test",), hidden=False), False),
    "hidden": ("good.test", Hello((b"good.test",), hidden=True), False),
    "hidden where listed": ("ech.example.com", Hello((b"ech.example.com",), hidden=True), True),
    "no name for an address": ("203.0.113.66", Hello((), hidden=False), True),
    "a name for an address": ("203.0.113.66", Hello((b"evil.test",), hidden=False), False),
}


@pytest.mark.parametrize("case", HELLOS)
def test_hello(egress, case):
    host, hello, good = HELLOS[case]
    assert (Rules(egress.config(ech=["ech.example.com"])).judge_hello(host, hello) is None) == good


def test_ten_thousand_category_domains_are_found_by_suffix(egress):
    many = [f"h{i}.hooks{i}.test" for i in range(10_000)] + ["*.deep.test"]
    rules = Rules(egress.config(default="allow", category_deny=[{"category": "webhooks", "domains": many}]))
    assert not rules.judge("h9999.hooks9999.test", 443).allowed
    assert not rules.judge("a.b.c.deep.test", 443).allowed
    assert rules.judge("hooks9999.test", 443).allowed
    assert rules.judge("deep.test", 443).allowed


LABELS = st.sampled_from(["a", "b", "example", "test", "localhost", "com"])
HOSTS = st.lists(LABELS, min_size=2, max_size=4).map(".".join)
ADDRESSES = st.sampled_from(
    ["203.0.113.66", "203.0.113.9", "127.1", "10.0.0.8", "[::1]", "[::ffff:203.0.113.66]", "2130706433"]
)
PORTS = st.sampled_from([443, 80, 22, 8443])


@st.composite
def domains(draw):
    host, star, port = draw(HOSTS), draw(st.booleans()), draw(st.none() | PORTS)
    return ("*." if star else "") + host + (f":{port}" if port else "")


CIDRS = st.sampled_from(["203.0.113.0/24", "203.0.113.66/32:22", "10.0.0.0/8", "127.0.0.0/8"])
NETWORKS = st.builds(
    Network,
    default=st.sampled_from(["deny", "allow"]),
    local=st.sampled_from(["deny", "allow"]),
    allow_domains=st.lists(domains(), max_size=5, unique=True).map(tuple),
    deny_domains=st.lists(domains(), max_size=3, unique=True).map(tuple),
    allow_cidrs=st.lists(CIDRS, max_size=2, unique=True).map(tuple),
    deny_categories=st.just(("webhooks",)),
    category_domains=st.lists(domains(), max_size=3, unique=True).map(lambda d: {"webhooks": tuple(d)}),
)


@given(network=NETWORKS, host=HOSTS | ADDRESSES, port=PORTS)
@settings(max_examples=500, deadline=None)
def test_the_proxy_judges_as_the_policy_means(egress, network, host, port):
    rules = Rules(
        egress.config(
            default=network.default,
            local=network.local,
            allow=network.allow_domains,
            deny=network.deny_domains,
            allow_cidrs=network.allow_cidrs,
            category_deny=[{"category": c, "domains": d} for c, d in network.category_domains.items()],
            opaque=[],
        )
    )
    times = {
        "issued_at": "2026-01-01T00:00:00Z",
        "not_before": "2026-01-01T00:00:00Z",
        "expires_at": "2099-01-01T00:00:00Z",
    }
    policy = Policy(version=1, org_id="acme", network=network, **times)
    meant = decide(EffectivePolicy(policy), Connect(host=host, port=port)).effect
    assert rules.judge(canonical_target(host), port).allowed == (meant is Effect.ALLOW)
