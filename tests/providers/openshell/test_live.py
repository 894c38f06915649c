"""The installed command line parses what is rendered, and refuses what it should."""

import pytest

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.providers.kernel.openshell import provider, target
from tappass_host.sdk.contract import TargetCapabilities
from tappass_host.sdk.kit.reference import REFERENCE
from tappass_host.sdk.kit.written import files

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def found():
    found = target.detect()
    if found is None:
        pytest.skip("openshell is not on PATH")
    return found


@pytest.mark.parametrize("name", REFERENCE)
def test_every_rendering_is_parsed(name, found):
    config = provider.render(EffectivePolicy(REFERENCE[name]), TargetCapabilities(version=found.version))
    assert target.validate(files(config)) == []


BAD = [
    "version: 1\nfilesystem_policy: {deny_paths: [/x]}\n",
    "filesystem_policy: {}\n",
    "version: 1\ninference: {}\n",
]


@pytest.mark.parametrize("text", BAD)
def test_what_it_does_not_know_is_refused(text, found):
    assert target.validate({"state/openshell-policy.yaml": text.encode()})
