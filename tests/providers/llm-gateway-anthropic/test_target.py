"""Gate 2 for llm-gateway-anthropic: its own decoder takes what is rendered, and nothing else."""

import json
from pathlib import Path

import pytest

from tappass_host.providers.llm_gateway.llm_gateway_anthropic.target import validate

RENDERED = sorted(Path(__file__).parent.glob("cases/*/expected/run/*/llm-gateway.json"))


@pytest.mark.parametrize("path", RENDERED, ids=[path.parts[-5] for path in RENDERED])
def test_takes_what_is_rendered(path):
    assert validate({"run/default/llm-gateway.json": path.read_bytes()}) == []


def test_there_is_something_rendered():
    assert RENDERED


def test_objects_to_a_key_that_it_does_not_know():
    doc = json.loads(RENDERED[0].read_bytes())
    (said,) = validate({"run/default/llm-gateway.json": json.dumps({**doc, "extra": 1}).encode()})
    assert "run/default/llm-gateway.json" in said
    assert "extra" in said
