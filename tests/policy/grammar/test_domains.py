import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tappass_host.policy.errors import GrammarError
from tappass_host.policy.grammar.domains import DomainRule, canonical_host, parse_domain

LABELS = st.sampled_from(["a", "b", "example", "com", "x-1", "_srv"])
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PORTS = st.sampled_from([None, 22, 80, 443, 8443])
RULES = st.builds(
    lambda host, wildcard, port: DomainRule(host, wildcard and "." in host, port), HOSTS, st.booleans(), PORTS
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("example.com", "example.com"),
        ("API.Example.COM:8443", "api.example.com:8443"),
        ("*.example.com", "*.example.com"),
        ("*.example.com:443", "*.example.com:443"),
        ("localhost:3000", "localhost:3000"),
        ("bücher.de", "xn--bcher-kva.de"),
        ("*.BÜCHER.de:443", "*.xn--bcher-kva.de:443"),
        ("r3---sn-x.example.com", "r3---sn-x.example.com"),
    ],
)
def test_canonical_text(text, canonical):
    assert str(parse_domain(text)) == canonical
    assert parse_domain(canonical) == parse_domain(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("*", "star where none may be"),
        ("*.com", "covers a whole top-level domain"),
        ("*.*.com", "star where none may be"),
        ("a*.com", "star where none may be"),
        ("example.com.", "ends in a dot"),
        ("a..b", "is not a host name"),
        ("-a.com", "is not a host name"),
        ("a" * 64 + ".com", "is not a host name"),
        (".".join(["a" * 60] * 5), "is not a host name"),
        ("https://example.com", "is a URL"),
        ("example.com/path", "is a URL"),
        ("user@example.com", "is not a host name"),
        ("example.com:0", "no valid port"),
        ("example.com:65536", "no valid port"),
        ("example.com:0443", "no valid port"),
        ("example.com:", "no valid port"),
        ("example.com:٤٤٣", "no valid port"),
        ("127.0.0.1", "is an IP address"),
        ("127.0.0.1:80", "is an IP address"),
        ("2130706433", "is an IP address"),
        ("0x7f.1", "is an IP address"),
        ("\uff11\uff12\uff17.0.0.1", "is an IP address"),
        ("a.b.1", "is an IP address"),
        ("::1", "is an IP address"),
        ("[::1]:80", "is an IP address"),
        (" example.com", "has blanks"),
        ("exa\u202emple.com", "unprintable"),
        ("exa\nmple.com", "unprintable"),
    ],
)
def test_refused(text, why):
    with pytest.raises(GrammarError, match=why) as caught:
        parse_domain(text)
    assert caught.value.remedy
    assert str(caught.value).isascii()


@pytest.mark.parametrize(
    ("rule", "host", "port", "allow", "deny"),
    [
        ("*.example.com", "a.example.com", 443, True, True),
        ("*.example.com", "a.b.example.com", 80, True, True),
        ("*.example.com", "A.Example.com.", 443, True, True),
        ("*.example.com", "example.com", 443, False, False),
        ("*.example.com", "badexample.com", 443, False, False),
        ("*.example.com", "a.example.com", 22, False, True),
        ("bad.example.com", "bad.example.com", 8443, False, True),
        ("api.x.org:8443", "api.x.org", 8443, True, True),
        ("api.x.org:8443", "api.x.org", 443, False, False),
        ("bücher.de", "bücher.de", 443, True, True),
        ("bücher.de", "BÜCHER.de", 443, True, True),
        ("example.com", "exa mple.com", 443, False, True),
        ("example.com", "example.com\0", 443, False, True),
        ("example.com", "", 443, False, True),
        ("example.com", "203.0.113.9", 443, False, False),
        ("example.com", "[::1]", 443, False, False),
    ],
)
def test_matching(rule, host, port, allow, deny):
    parsed = parse_domain(rule)
    assert (parsed.matches_allow(host, port), parsed.matches_deny(host, port)) == (allow, deny)


@pytest.mark.parametrize(
    ("outer", "inner", "both", "deny"),
    [
        ("*.x.org", "a.x.org", True, True),
        ("*.x.org", "*.a.x.org:443", True, True),
        ("*.x.org", "x.org", False, False),
        ("a.x.org", "*.x.org", False, False),
        ("a.x.org", "a.x.org:22", False, True),
        ("a.x.org", "a.x.org:80", True, True),
        ("a.x.org:443", "a.x.org", False, False),
    ],
)
def test_covers(outer, inner, both, deny):
    a, b = parse_domain(outer), parse_domain(inner)
    assert (a.covers(b), a.covers_deny(b)) == (both, deny)


def test_hashable_and_frozen():
    rule = parse_domain("a.b")
    assert {rule, DomainRule("a.b")} == {rule}
    with pytest.raises(AttributeError):
        rule.host = "c"


@settings(deadline=None)
@given(RULES)
def test_round_trip(rule):
    assert parse_domain(str(rule)) == rule


@settings(deadline=None)
@given(st.text(max_size=80) | st.text("*.:-_ab0123456789xé。", max_size=30))
def test_any_text_parses_or_is_refused(text):
    try:
        rule = parse_domain(text)
    except GrammarError:
        return
    assert parse_domain(str(rule)) == rule
    assert canonical_host(rule.host) == rule.host


@settings(deadline=None)
@given(RULES, RULES, HOSTS, st.sampled_from([22, 80, 443, 8443, 9]))
def test_covers_is_sound(a, b, host, port):
    if a.covers(b):
        assert a.matches_allow(host, port) >= b.matches_allow(host, port)
        assert a.matches_deny(host, port) >= b.matches_deny(host, port)
    if a.covers_deny(b):
        assert a.matches_deny(host, port) >= b.matches_deny(host, port)
