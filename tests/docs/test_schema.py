"""The published JSON Schema accepts what is compiled, and refuses what the strict reader refuses by type."""

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from tappass_host.policy.canonical import canonical_bytes
from tappass_host.sdk.kit.reference import REFERENCE

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((REPOSITORY / "docs" / "spec" / "compiled-policy.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def plain(name):
    return json.loads(canonical_bytes(msgspec.to_builtins(REFERENCE[name])))


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", list(REFERENCE))
def test_accepts_policies(name):
    VALIDATOR.validate(plain(name))


WRONG = {
    "an unknown field": ("/network", {"allow_hosts": []}),
    "an unknown aspect": ("", {"disk": {}}),
    "a wrong type": ("/network", {"allow_domains": "a.com"}),
    "a float": ("/process", {"memory_mb": 1.5}),
    "a negative number": ("/process", {"memory_mb": -1}),
    "an integer that JSON readers round": ("", {"version": 2**53}),
    "a default that does not exist": ("/network", {"default": "ask"}),
    "another schema": ("", {"schema": "tappass.compiled-policy/v2"}),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_refuses(name):
    pointer, change = WRONG[name]
    document = plain("full")
    place = document[pointer[1:]] if pointer else document
    place.update(change)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document)


def test_refuses_a_policy_without_its_head():
    document = plain("full")
    del document["expires_at"]
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document)
