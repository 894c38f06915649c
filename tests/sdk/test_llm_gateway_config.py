"""The schema that an LLM gateway runs from: what it takes, and what it refuses with the place."""

import json

import pytest

from tappass_host.policy.errors import TappassError
from tappass_host.sdk.configs.llm_gateway import Price, decode, encode, priced

GOOD = {
    "schema": "tappass.llm-gateway/v1",
    "policy": {"digest": "sha256:0", "version": 1, "expires_at": "2027-01-01T00:00:00Z"},
    "api": "anthropic",
    "sandbox": "s",
    "mode": "enforce",
    "listen": {"unix": "/run/s/llm.sock"},
    "public_url": "http://127.0.0.1:8787",
    "upstreams": [{"id": "a", "kind": "anthropic", "base_url": "https://api.anthropic.com"}],
    "routes": [{"route": "messages", "method": "POST", "path": "/v1/messages"}],
    "models": {"default": "deny", "allow": ["claude-*"]},
    "budget": {"agent": "acme", "ledger": "/var/lib/l"},
}
AUTH = {"header": "x-api-key", "ref": "file:/key"}


def changed(path, value):
    doc = json.loads(json.dumps(GOOD))
    node = doc
    *heads, last = path
    for head in heads:
        node = node[head]
    node[last] = value
    return json.dumps(doc).encode()


def test_what_it_takes_is_written_back_alike():
    config = decode(json.dumps(GOOD).encode())
    assert decode(encode(config)) == config
    assert encode(decode(encode(config))) == encode(config)


BAD = {
    "an unknown field": (("extra",), 1, ""),
    "an unknown schema": (("schema",), "tappass.llm-gateway/v2", "/schema"),
    "no listener": (("listen",), {}, "/listen"),
    "tcp without a token": (("listen",), {"tcp": "127.0.0.1:1"}, "/listen"),
    "a relative socket": (("listen",), {"unix": "llm.sock"}, "/listen"),
    "an upstream of another api": (("upstreams", 0, "kind"), "openai", "/upstreams/0/kind"),
    "two upstreams of one id": (("upstreams",), GOOD["upstreams"] * 2, "/upstreams/1/id"),
    "a credential in the clear": (
        ("upstreams", 0),
        {"id": "a", "kind": "anthropic", "base_url": "http://llm.example.com", "auth": AUTH},
        "/upstreams/0/base_url",
    ),
    "a url with a user": (("upstreams", 0, "base_url"), "https://u@host/", "/upstreams/0/base_url"),
    "a url with a query": (("public_url",), "http://h/?q=1", "/public_url"),
    "a relative route": (("routes", 0, "path"), "v1/messages", "/routes/0/path"),
    "a route with a star inside a segment": (("routes", 0, "path"), "/v1/m*", "/routes/0/path"),
    "a route with an encoded slash": (("routes", 0, "path"), "/v1%2fx", "/routes/0/path"),
    "a method nobody asked for": (("routes", 0, "method"), "PATCH", "/routes/0/method"),
    "a model with a star in front": (("models", "allow"), ["*-4"], "/models/allow/0"),
    "a negative budget": (("budget", "tokens_per_day"), -1, "/budget/tokens_per_day"),
    "an unknown detector": (
        ("redact",),
        [{"detector": "mood", "action": "mask", "direction": "both"}],
        "/redact/0/detector",
    ),
    "a header with a line break": (("forward",), ["x\r\ny"], "/forward/0"),
}


@pytest.mark.parametrize(("path", "value", "pointer"), BAD.values(), ids=list(BAD))
def test_refused_with_the_place(path, value, pointer):
    with pytest.raises(TappassError) as error:
        decode(changed(path, value))
    assert error.value.pointer == pointer


def test_no_instant_no_gateway():
    with pytest.raises(TappassError):
        decode(changed(("policy", "expires_at"), "tomorrow"))


def test_a_credential_may_stay_on_the_machine():
    upstream = {"id": "a", "kind": "anthropic", "base_url": "http://127.0.0.1:9", "auth": AUTH}
    assert decode(changed(("upstreams", 0), upstream)).upstreams[0].auth is not None


PRICES = {
    "claude-*": Price(input=1, output=1),
    "claude-opus-*": Price(input=2, output=2),
    "claude-opus-4": Price(input=3, output=3),
}


@pytest.mark.parametrize(
    ("model", "found"), [("claude-opus-4", 3), ("claude-opus-5", 2), ("claude-haiku", 1), ("gpt", None)]
)
def test_the_price_of_a_model_is_its_own_then_the_longest_prefix(model, found):
    price = priced(PRICES, model)
    assert (price.input if price else None) == found
