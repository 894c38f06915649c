"""Lowering of files: each trap that a throw-away prototype fell into, and the shapes of targets."""

import sys

import pytest

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Filesystem, Policy
from tappass_host.sdk.facts import Know
from tappass_host.sdk.lowering import FsFeatures, lower_fs

LAYERED = FsFeatures(nesting="layered", floor="nothing", pinned=True)
DENY_FIRST = FsFeatures(nesting="deny_first", floor="nothing", glob=True)
UNION = FsFeatures(nesting="union", floor="nothing")


def lower(features, facts=None, **filesystem):
    doc = Policy(
        version=1,
        issued_at="2026-01-01T00:00:00Z",
        not_before="2026-01-01T00:00:00Z",
        expires_at="2027-01-01T00:00:00Z",
        org_id="acme",
        filesystem=Filesystem(**filesystem),
    )
    return lower_fs(EffectivePolicy(doc), features, Know(facts or {}))


def emitted(items):
    return [
        (i.op, str(i.value.path), i.value.access)
        for i in items
        if hasattr(i.value, "path") and not (i.under or i.refused)
    ]


def one(items, op, path):
    return next(i for i in items if i.op == op and str(getattr(i.value, "path", "")) == path)


def test_a_deny_inside_a_grant_is_pinned_by_every_folder_above_it():
    items = lower(LAYERED, workspace="/ws", deny_paths=("/ws/a/b/secret",))
    assert emitted(items) == [
        ("grant", "/ws", "write"),
        ("pin", "/ws/a", "write"),
        ("pin", "/ws/a/b", "write"),
        ("deny", "/ws/a/b/secret", "deny"),
    ]


def test_a_pin_never_reopens_an_outer_mask():
    items = lower(LAYERED, workspace="/ws", deny_paths=("/ws/secret", "/ws/secret/a/b"))
    assert emitted(items) == [("grant", "/ws", "write"), ("deny", "/ws/secret", "deny")]
    assert one(items, "deny", "/ws/secret/a/b").under == ("filesystem.deny_paths[/ws/secret]",)


def test_a_pin_never_makes_a_read_only_folder_writable():
    items = lower(LAYERED, workspace="/ws", read_only=("/ws/vendor",), deny_paths=("/ws/vendor/a/key",))
    assert ("pin", "/ws/vendor/a", "write") not in emitted(items)
    assert ("narrow", "/ws/vendor", "read") in emitted(items)


def test_a_pattern_inside_an_outer_mask_is_not_pinned_after_expansion():
    facts = {"glob:/ws/*/secret": ("/ws/a/secret",), "glob:/ws/**/key": ("/ws/a/secret/x/key",)}
    items = lower(LAYERED, facts, workspace="/ws", deny_paths=("/ws/*/secret", "/ws/**/key"))
    assert ("pin", "/ws/a/secret/x", "write") not in emitted(items)
    assert ("pin", "/ws/a/secret", "write") not in emitted(items)


@pytest.mark.parametrize("floor", ["read", "all"])
def test_no_deny_is_left_out_where_reads_are_open(floor):
    features = DENY_FIRST._replace(floor=floor)
    items = lower(features, workspace="/ws", deny_paths=("/etc/shadow",))
    assert ("deny", "/etc/shadow", "deny") in emitted(items)
    assert next(i for i in items if i.op == "default").refused


def test_a_deny_outside_the_grants_is_true_by_omission_where_nothing_is_open():
    items = lower(UNION, workspace="/ws", deny_paths=("/etc/shadow",))
    assert one(items, "deny", "/etc/shadow").under == ("filesystem.default[deny]",)


def test_a_default_is_not_claimed_where_the_target_only_prompts():
    items = lower(DENY_FIRST._replace(floor="prompt"), workspace="/ws")
    assert "asks" in next(i for i in items if i.op == "default").refused


def test_a_write_grant_inside_a_read_only_folder_is_lost_on_a_deny_first_target_and_says_so():
    items = lower(DENY_FIRST, workspace="/ws", read_only=("/ws/vendor",), read_write=("/ws/vendor/tmp",))
    assert one(items, "grant", "/ws/vendor/tmp").refused
    assert one(items, "narrow", "/ws/vendor").fidelity == "stricter"


def test_the_same_grant_is_kept_on_a_layered_target():
    items = lower(LAYERED, workspace="/ws", read_only=("/ws/vendor",), read_write=("/ws/vendor/tmp",))
    assert ("grant", "/ws/vendor/tmp", "write") in emitted(items)


def test_where_rules_only_add_up_a_grant_gives_way_to_what_is_denied_inside_it():
    items = lower(
        UNION, workspace="/ws", read_write=("/data",), deny_paths=("/ws/secret",), read_only=("/data/x",)
    )
    assert one(items, "grant", "/ws").refused
    assert one(items, "deny", "/ws/secret").under == ("filesystem.default[deny]",)
    assert emitted(items) == [("grant", "/data", "read")]
    assert "only be read" in one(items, "grant", "/data").loss
    assert one(items, "narrow", "/data/x").under == ("filesystem.default[deny]",)


def test_where_rules_only_add_up_nothing_inside_a_grant_can_be_taken_away():
    items = lower(
        UNION._replace(conflict="deny"),
        workspace="/ws",
        read_only=("/ws/vendor",),
        deny_paths=("/ws/secret",),
    )
    assert one(items, "deny", "/ws/secret").refused
    assert one(items, "narrow", "/ws/vendor").refused


def test_what_a_pattern_found_is_pinned_only_where_it_could_leave_its_pattern():
    facts = {"glob:/ws/**/.env": ("/ws/a/.env",), "glob:/ws/conf/**/key": ("/ws/conf/a/key",)}
    items = lower(LAYERED, facts, workspace="/ws", deny_paths=("**/.env", "/ws/conf/**/key"))
    pins = {str(i.value.path): i.fidelity for i in items if i.op == "pin"}
    assert pins == {"/ws/conf": "stricter", "/ws/conf/a": "stricter"}


def test_an_unanswered_pattern_is_refused_and_asked():
    know = Know({})
    doc = Policy(
        version=1,
        issued_at="2026-01-01T00:00:00Z",
        not_before="2026-01-01T00:00:00Z",
        expires_at="2027-01-01T00:00:00Z",
        org_id="acme",
        filesystem=Filesystem(workspace="/ws", deny_paths=("**/.env",)),
    )
    items = lower_fs(EffectivePolicy(doc), LAYERED, know)
    assert "glob:/ws/**/.env" in know.asked
    assert next(i for i in items if i.op == "deny").refused


def test_a_missing_path_is_partial_until_the_next_launch_and_never_emitted():
    features = LAYERED._replace(existing=True)
    facts = {"path_kind:/ws": "dir", "path_kind:/ws/secret": "missing"}
    items = lower(features, facts, workspace="/ws", deny_paths=("/ws/secret",))
    gone = next(i for i in items if i.op == "absent")
    assert gone.origins == ("filesystem.deny_paths[/ws/secret]",)
    assert "next launch" in gone.loss


def test_a_grant_under_a_deny_is_dead_and_stands_under_it():
    items = lower(LAYERED, workspace="/ws", read_write=("/ws/secret/tmp",), deny_paths=("/ws/secret",))
    assert one(items, "grant", "/ws/secret/tmp").under == ("filesystem.deny_paths[/ws/secret]",)


def test_every_statement_is_spoken_of_on_every_kind_of_target():
    filesystem = {
        "workspace": "/ws",
        "read_only": ("/usr", "/ws/vendor"),
        "read_write": ("/ws/vendor/tmp", "/tmp"),
        "deny_paths": ("**/.env", "/ws/secret", "/ws/secret/x", "/etc"),
    }
    doc = Policy(
        version=1,
        issued_at="2026-01-01T00:00:00Z",
        not_before="2026-01-01T00:00:00Z",
        expires_at="2027-01-01T00:00:00Z",
        org_id="acme",
        filesystem=Filesystem(**filesystem),
    )
    said = {s.id for s in EffectivePolicy(doc).statements if s.aspect == "filesystem"}
    for features in (LAYERED, DENY_FIRST, UNION):
        items = lower(features, **filesystem)
        assert {o for i in items for o in i.origins} == said


def test_work_grows_linearly_with_the_rules():
    def calls(count):
        denies = tuple(f"/ws/d{i}/**/secret{i}" for i in range(count)) + tuple(
            f"/ws/x/{i}" for i in range(count)
        )
        facts = {f"glob:/ws/d{i}/**/secret{i}": (f"/ws/d{i}/a/secret{i}",) for i in range(count)}
        lower(LAYERED, facts, workspace="/ws", deny_paths=denies)  # parse caches warm
        made = 0

        def count_call(_frame, event, _arg):
            nonlocal made
            made += event == "call"

        sys.setprofile(count_call)
        try:
            lower(LAYERED, facts, workspace="/ws", deny_paths=denies)
        finally:
            sys.setprofile(None)
        return made

    # Four times the rules: linear work is four times the calls, quadratic sixteen.
    assert calls(800) < 5 * calls(200)


@pytest.mark.parametrize("features", [LAYERED, DENY_FIRST, UNION])
def test_a_relative_pattern_with_nowhere_to_hang_from_is_still_a_statement(features):
    items = lower(features, deny_paths=("**/.env",), read_only=("**/docs",))
    found = {i.origins: i.under for i in items if i.op != "default"}
    under = ("filesystem.default[deny]",)
    assert found[("filesystem.deny_paths[**/.env]",)] == under
    assert found[("filesystem.read_only[**/docs]",)] == under


def test_what_narrows_a_grant_that_gave_way_is_closed_by_the_default():
    facts = {"glob:/ws/**/.envrc": ("/ws/a/.envrc",)}
    items = lower(
        UNION, facts, workspace="/ws", read_only=("**/.envrc", "/ws/vendor"), deny_paths=("/ws/secret",)
    )
    narrows = [i for i in items if i.op == "narrow"]
    assert {o for i in narrows for o in i.origins} == {
        "filesystem.read_only[**/.envrc]",
        "filesystem.read_only[/ws/vendor]",
    }
    assert all(i.under == ("filesystem.default[deny]",) and not i.loss for i in narrows)
