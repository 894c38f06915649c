"""A grant that is open by itself still loses what had to give way."""

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Filesystem
from tappass_host.sdk.kit.reference import policy
from tappass_host.sdk.lowering import FsFeatures, lower_fs

READABLE = FsFeatures(nesting="union", floor="read")


def opened(**fields):
    items = lower_fs(EffectivePolicy(policy(filesystem=Filesystem(**fields))), READABLE, lambda *_: "dir")
    return {item.origins[0]: item for item in items}


def test_a_workspace_that_may_only_be_read_is_partial():
    item = opened(workspace="/ws", read_only=("/ws/vendor",))["filesystem.workspace[/ws]"]
    assert (item.op, item.loss) == (
        "open",
        "may only be read here: /ws/vendor must not be written",
    )


def test_a_folder_to_read_loses_nothing():
    item = opened(read_only=("/usr",))["filesystem.read_only[/usr]"]
    assert (item.op, item.loss) == ("open", "")
