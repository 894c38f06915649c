"""Mistakes that a change of the provider could make: the kit finds every one of them."""

import pytest

from tappass_host.policy.errors import TappassError
from tappass_host.providers.host.egress_proxy import provider
from tappass_host.providers.host.egress_proxy.conformance import SETTINGS
from tappass_host.sdk.kit.compare import compare
from tappass_host.sdk.kit.reference import PROBING, REFERENCE
from tappass_host.sdk.kit.subject import Subject
from tappass_host.sdk.kit.universe import actions

PACKAGE = "tappass_host.providers.host.egress_proxy"


def failures():
    """What the kit says, over all reference policies."""
    subject = Subject(f"{PACKAGE}.provider", f"{PACKAGE}.reader", SETTINGS)
    acts = actions(subject.surfaces)
    return [
        finding
        for name in (*REFERENCE, *PROBING)
        for rendered in subject.reference(name)
        for finding in compare(rendered, acts).failures
    ]


def rule_without(op):
    def rule(doc, item):
        if item.op == op:
            doc.credit("egress#", by=item)
        else:
            real_rule(doc, item)

    return lambda patch: patch.setattr(provider, "_rule", rule)


def portless(doc, item):
    text = str(item.value).partition(":")[0] if item.op == "allow" else str(item.value)
    doc.add("/allow", text, by=item) if item.op == "allow" else real_rule(doc, item)


def swapped(doc, item):
    value = {"allow": "deny", "deny": "allow"}.get(str(item.value))
    real_rule(doc, item._replace(value=value)) if item.op == "local" else real_rule(doc, item)


real_rule = provider._rule

MUTANTS = {
    "denied hosts forgotten": rule_without("deny"),
    "address ranges forgotten": rule_without("cidr"),
    "ports of granted hosts forgotten": lambda patch: patch.setattr(provider, "_rule", portless),
    "local the other way round": lambda patch: patch.setattr(provider, "_rule", swapped),
    "categories forgotten": lambda patch: patch.setattr(
        provider, "_category", lambda doc, _, items: doc.credit("egress#", by=tuple(items))
    ),
    "unix sockets claimed by itself": lambda patch: patch.setattr(provider, "DEFAULT", provider.PROXY),
}


def test_without_a_mistake_there_is_nothing_to_find():
    assert failures() == []


@pytest.mark.parametrize("mutate", MUTANTS.values(), ids=MUTANTS)
def test_it_is_found(mutate, monkeypatch):
    mutate(monkeypatch)
    try:
        assert failures()
    except TappassError as error:  # the proxy's own decoder may see it first
        assert "egress" in str(error) or "default" in str(error)  # noqa: PT017
