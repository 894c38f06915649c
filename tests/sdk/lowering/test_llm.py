"""The llm aspect for targets of different features."""

import pytest

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Llm, Models, Redact, Upstream
from tappass_host.sdk.kit.reference import EMPTY, policy
from tappass_host.sdk.lowering import LlmFeatures, lower_llm

ALL = LlmFeatures(
    closed=True,
    routes=frozenset({"batches"}),
    upstreams=frozenset({"anthropic"}),
    detectors=frozenset({"email"}),
    gateway=True,
)
OPEN = ALL._replace(closed=False)
EXACT = ALL._replace(wildcards=False)
LIST_ONLY = ALL._replace(deny=False)
NOTHING = LlmFeatures(closed=False, why={"routes": "knows no routes"})

LISTED = Llm(models=Models(allow=("sonnet-*",), deny=("sonnet-4",)))
APART = Llm(models=Models(allow=("sonnet-*",), deny=("opus-*",)))
OPENED = Llm(default="allow", models=Models(deny=("opus-*",)))

# What is said, what the target can, the item's op and value, and what becomes of it.
CASES = {
    "a closed target holds the default": (LISTED, ALL, "default", "deny", ""),
    "an open one does not": (LISTED, OPEN, "default", "deny", "leaves open every model that nobody lists"),
    "an open default is open by itself": (OPENED, OPEN, "open", "allow", ""),
    "an open default is told to a closed target": (OPENED, ALL, "default", "allow", ""),
    "an empty list that restricts nothing": (
        Llm(),
        ALL._replace(empty=False),
        "default",
        "deny",
        "an empty list of models restricts nothing",
    ),
    "a star where names are exact": (LISTED, EXACT, "allow", "sonnet-*", "model names are exact here"),
    "a name where names are exact": (LISTED, EXACT, "deny", "sonnet-4", ""),
    "a deny that nothing can hold": (
        LISTED,
        LIST_ONLY,
        "deny",
        "sonnet-4",
        "has no deny list that beats a granted model",
    ),
    "a deny that is not listed anyway": (APART, LIST_ONLY, "deny", "opus-*", "under"),
    "a deny where all else is open": (
        OPENED,
        LIST_ONLY,
        "deny",
        "opus-*",
        "has no deny list that beats a granted model",
    ),
    "a gateway": (Llm(gateway_url="http://gw"), ALL, "gateway", "http://gw", ""),
    "a route": (Llm(routes=("batches",)), ALL, "route", "batches", ""),
    "a route that is not there": (Llm(routes=("files",)), ALL, "route", "files", "has no route files"),
    "a route of a target without routes": (
        Llm(routes=("files",)),
        NOTHING,
        "route",
        "files",
        "knows no routes",
    ),
}


@pytest.mark.parametrize(("node", "features", "op", "value", "outcome"), CASES.values(), ids=list(CASES))
def test_each_item(node, features, op, value, outcome):
    (item,) = [i for i in lower_llm(EffectivePolicy(policy(llm=node)), features) if i.value == value]
    assert item.op == op
    if outcome == "under":
        assert (item.refused, item.under) == ("", ("llm.default[deny]",))
    else:
        assert (item.refused, item.under) == (outcome, ())


def test_structs_come_whole_and_redaction_keeps_its_order():
    rules = (Redact(detector="us_ssn"), Redact(detector="email", action="block"))
    upstreams = (
        Upstream(id="a", kind="anthropic", base_url="https://a"),
        Upstream(id="b", kind="x", base_url="https://b"),
    )
    node = Llm(redact=rules, upstreams=upstreams)
    items = lower_llm(EffectivePolicy(policy(llm=node)), ALL)
    assert [i.value for i in items if i.op == "redact"] == list(rules)
    assert {i.origins[0]: i.refused for i in items if i.op in ("redact", "upstream")} == {
        "llm.redact[us_ssn:mask:both]": "has no detector us_ssn",
        "llm.redact[email:block:both]": "",
        "llm.upstreams[a]": "",
        "llm.upstreams[b]": "does not speak x",
    }


def test_every_statement_has_an_item_and_nothing_else_has():
    full = Llm(
        gateway_url="http://gw",
        models=Models(allow=("a",), deny=("b",)),
        routes=("batches",),
        upstreams=(Upstream(id="a", kind="anthropic", base_url="https://a"),),
        redact=(Redact(detector="email"),),
    )
    said = EffectivePolicy(policy(llm=full))
    for features in (ALL, NOTHING):
        origins = sorted(origin for item in lower_llm(said, features) for origin in item.origins)
        assert origins == sorted(said.ids("llm", aspect=True))
    assert lower_llm(EffectivePolicy(EMPTY), ALL) == []
