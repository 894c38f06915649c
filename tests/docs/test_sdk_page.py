"""The published contract names everything that the code offers, and the version it has."""

import inspect
from pathlib import Path
from typing import get_args

import pytest

from tappass_host.policy import actions
from tappass_host.policy.surfaces import ASPECT_SURFACES, SURFACES
from tappass_host.sdk import artifacts, claims, contract, lowering, target
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.document import Doc
from tappass_host.sdk.kit.subject import Settings
from tappass_host.sdk.kit.suite import Conformance
from tappass_host.sdk.version import SDK_VERSION

PAGE = (Path(__file__).parents[2] / "docs/spec/provider-sdk.md").read_text()


def fields(*kinds):
    return [name for kind in kinds for name in getattr(kind, "_fields", None) or kind.__struct_fields__]


def public(*kinds):
    return [name for kind in kinds for name, _ in inspect.getmembers(kind) if not name.startswith("_")]


FEATURES = [getattr(lowering, name) for name in lowering.__all__ if name.endswith("Features")]
NAMED = {
    "contract": fields(
        contract.ProviderInfo,
        contract.TargetCapabilities,
        contract.TargetConfig,
        contract.Need,
        contract.Inner,
    ),
    "claims": fields(claims.Item, claims.Claim, claims.Reach, claims.Evidence),
    "requirements": [kind.__name__ for kind in get_args(claims.Requirement)],
    "artifacts": fields(artifacts.Artifact, artifacts.Launch, artifacts.Endpoint),
    "features": fields(*FEATURES),
    "lowerings": [name for name in lowering.__all__ if not name.isupper()],
    "builder": [name for name in public(Builder) if name != "info"],
    "doc": [name for name in public(Doc) if name not in ("id", "build")],
    "actions": [kind.__name__ for kind in get_args(actions.Action)],
    "words": [
        *get_args(contract.Position),
        *contract.APPLY_EFFECTS,
        *get_args(artifacts.Codec),
        *get_args(artifacts.Root),
        *get_args(artifacts.Scope),
        *get_args(claims.Verdict),
        *get_args(claims.Strength),
        *get_args(claims.Fidelity),
        *SURFACES,
        *ASPECT_SURFACES,
    ],
    "target": [*fields(target.Found), "detect", "validate"],
    "kit": [*Settings._fields, *(name for name in public(Conformance) if name.startswith("test_"))],
}


@pytest.mark.parametrize("group", list(NAMED))
def test_everything_is_named(group):
    import re

    missing = [name for name in NAMED[group] if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", PAGE)]
    assert not missing


def test_the_page_is_of_this_version():
    assert PAGE.startswith(f"# Provider SDK {SDK_VERSION}\n")
