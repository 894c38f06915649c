"""What a rendering claims in observe mode: natively next to nothing, where the target records what it keeps."""

import msgspec
import pytest

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import ProviderError
from tappass_host.policy.model import Filesystem
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Evidence, Item, Reach
from tappass_host.sdk.contract import ProviderInfo, TargetCapabilities
from tappass_host.sdk.kit.reference import policy

PLACE = Reach("rules", ("exec",), "compulsory", Evidence("https://toy.example/rules", "2026-11-01"))
NATIVE = ProviderInfo(
    id="toy", position="kernel", target="toy", version="1", sdk="1.0", covers={"filesystem": ("exec",)}
)
RECORDS = msgspec.structs.replace(NATIVE, records=("rules",))
DENY, WORKSPACE, DEFAULT = (
    "filesystem.deny_paths[/ws/secret]",
    "filesystem.workspace[/ws]",
    "filesystem.default[deny]",
)


def rendered(info, mode="observe", *, lower=lambda b: b.policy):
    said = EffectivePolicy(
        policy(mode=mode, filesystem=Filesystem(workspace="/ws", deny_paths=("/ws/secret",)))
    )
    b = Builder(info, said, TargetCapabilities(version="1"))
    doc = b.doc("rules", path="rules.json")
    for statement in lower(b) and lower(b).ids("filesystem", aspect=True):
        for item in b.lower([Item("rule", statement, (statement,))], at=PLACE):
            doc.add("/rules", statement, by=item)
    return b.build()


def verdicts(config):
    return {c.statement: (c.verdict, c.reason) for c in config.claims}


def test_a_native_target_holds_what_is_denied_by_name_and_nothing_else():
    found = rendered(NATIVE)
    assert verdicts(found) == {
        DENY: ("enforced", ""),
        DEFAULT: ("unenforceable", "observe"),
        WORKSPACE: ("unenforceable", "observe"),
    }
    assert found.artifact("rules").doc == {"rules": ["filesystem.default[allow]", DENY]}


def test_what_opens_the_rest_stands_for_no_statement():
    assert "observe" in rendered(NATIVE).hardening["rules#/rules[filesystem.default[allow]]"]


def test_a_target_that_records_gets_the_whole_policy_and_holds_no_restriction():
    found = rendered(RECORDS)
    assert verdicts(found) == {
        DENY: ("unenforceable", "observe"),
        DEFAULT: ("unenforceable", "observe"),
        WORKSPACE: ("enforced", ""),
    }
    assert found.artifact("rules").doc == rendered(NATIVE, "enforce").artifact("rules").doc


@pytest.mark.parametrize("info", [NATIVE, RECORDS])
def test_enforcing_changes_nothing(info):
    assert {verdict for verdict, _ in verdicts(rendered(info, "enforce")).values()} == {"enforced"}


def test_a_native_target_that_renders_the_whole_policy_is_caught():
    with pytest.raises(ProviderError, match="does not say"):
        rendered(NATIVE, lower=lambda b: b._said)
