"""Links on the way: rules are laid where a path leads, and nothing is opened because a link leads there."""

import pytest

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Filesystem
from tappass_host.sdk.facts import Know
from tappass_host.sdk.kit.reference import policy
from tappass_host.sdk.lowering import FsFeatures, lower_fs
from tappass_host.sdk.lowering.links import Links

MOUNTS = FsFeatures(nesting="layered", floor="nothing", pinned=True, existing=True)
HOST = {
    "/ws": "dir",
    "/ws/a": "dir",
    "/ws/a/key": "file",
    "/ws/home": "symlink:../home/u",
    "/ws/abs": "symlink:/home/u",
    "/ws/near": "symlink:a",
    "/ws/far": "symlink:near/../a/key",
    "/ws/round": "symlink:round",
    "/ws/file": "file",
    "/home": "dir",
    "/home/u": "dir",
    "/home/u/keys": "dir",
    "/home/u/rc": "file",
    "/var": "dir",
    "/var/run": "symlink:/run",
    "/run": "dir",
    "/run/x.sock": "file",
}


def know(kind, path):
    return HOST.get(path, "missing") if kind == "path_kind" else ()


WAYS = [
    ("/ws/a/key", "/ws/a/key", "file", ""),
    ("/ws/a/gone", "/ws/a/gone", "missing", ""),
    ("/ws/gone/x/y", "/ws/gone/x/y", "missing", ""),
    ("/ws/file/x", "/ws/file/x", "missing", ""),
    ("/ws/home/keys", "/home/u/keys", "dir", "/ws/home"),
    ("/ws/abs/rc", "/home/u/rc", "file", "/ws/abs"),
    ("/ws/near/key", "/ws/a/key", "file", "/ws/near"),
    ("/ws/far", "/ws/a/key", "file", "/ws/far"),
    ("/ws/home/gone", "/home/u/gone", "missing", "/ws/home"),
    ("/ws/round", "/ws/round", "missing", "/ws/round"),
]


@pytest.mark.parametrize(("path", "real", "kind", "link"), WAYS, ids=[way[0] for way in WAYS])
def test_follow(path, real, kind, link):
    place = Links(know).follow(tuple(path.split("/")[1:]), 1)
    found = ("/" + "/".join(place.segments), place.kind, "/" + "/".join(place.link) if place.link else "")
    assert found == (real, kind, link)


def test_the_root_of_what_may_be_written_is_taken_as_it_stands():
    assert Links(know).follow(("var", "run", "x.sock"), 2).link == ()


def test_a_way_without_links_takes_one_round_of_questions():
    asked = Know({})
    assert Links(asked).follow(("ws", "a", "b", "c"), 1).kind == "not known"
    assert list(asked.asked) == ["path_kind:/ws/a", "path_kind:/ws/a/b", "path_kind:/ws/a/b/c"]


def lower(**filesystem):
    return lower_fs(EffectivePolicy(policy(filesystem=Filesystem(**filesystem))), MOUNTS, know)


def laid(items):
    return [
        (i.op, str(i.value.path))
        for i in items
        if hasattr(i.value, "path") and i.op != "absent" and not (i.under or i.refused)
    ]


def losses(items, statement):
    return [i.loss or i.refused for i in items if statement in i.origins and (i.loss or i.refused)]


def test_a_planted_link_opens_nothing_through_a_read_only_entry():
    items = lower(workspace="/ws", read_only=("/ws/home/rc",))
    assert laid(items) == [("grant", "/ws")]
    assert "/ws/home" in losses(items, "filesystem.read_only[/ws/home/rc]")[0]


def test_a_planted_link_opens_nothing_through_a_pin():
    items = lower(workspace="/ws", deny_paths=("/ws/home/keys",))
    assert laid(items) == [("grant", "/ws")]


def test_a_planted_link_opens_nothing_through_a_grant_inside():
    items = lower(workspace="/ws", read_only=("/ws/home",), read_write=("/ws/home/keys",))
    assert laid(items) == [("grant", "/ws")]
    assert "symbolic link /ws/home" in losses(items, "filesystem.read_write[/ws/home/keys]")[0]


def test_a_grant_inside_a_writable_folder_is_no_firm_ground_for_what_lies_below_it():
    items = lower(workspace="/ws", read_only=("/ws/near",), deny_paths=("/ws/near/key",))
    assert ("deny", "/ws/a/key") in laid(items)
    assert not any(path.startswith("/ws/near") for _, path in laid(items))


def test_what_a_pattern_found_behind_a_link_is_not_opened():
    def answer(kind, arg):
        return ("/ws/home/rc",) if kind == "glob" else know(kind, arg)

    doc = policy(filesystem=Filesystem(workspace="/ws", read_only=("**/rc",)))
    assert laid(lower_fs(EffectivePolicy(doc), MOUNTS, answer)) == [("grant", "/ws")]


def test_a_deny_shuts_what_its_path_leads_to_and_says_that_the_link_can_go():
    items = lower(workspace="/ws", read_write=("/home/u",), deny_paths=("/ws/home/keys",))
    assert ("deny", "/home/u/keys") in laid(items)
    assert "can be replaced" in losses(items, "filesystem.deny_paths[/ws/home/keys]")[0]


def test_a_read_only_entry_follows_its_link_within_what_may_be_written():
    items = lower(workspace="/ws", read_only=("/ws/near",))
    assert ("narrow", "/ws/a") in laid(items)
    assert "can be replaced" in losses(items, "filesystem.read_only[/ws/near]")[0]


def test_a_link_that_nobody_inside_can_replace_loses_nothing():
    items = lower(default="read_only", deny_paths=("/var/run/x.sock", "/run/x.sock"))
    assert laid(items) == [("deny", "/run/x.sock")]
    assert losses(items, "filesystem.deny_paths[/var/run/x.sock]") == []


def test_a_folder_written_by_a_pattern_is_one_too():
    def answer(kind, arg):
        if kind == "glob":
            return ("/ws",)
        return know(kind, arg)

    doc = policy(filesystem=Filesystem(read_write=("/w*",), read_only=("/ws/home/rc",)))
    assert ("grant", "/ws/home/rc") not in laid(lower_fs(EffectivePolicy(doc), MOUNTS, answer))


def test_under_an_open_default_every_folder_above_a_deny_is_pinned():
    items = lower(default="allow", deny_paths=("/home/u/keys",))
    assert laid(items) == [("pin", "/home"), ("pin", "/home/u"), ("deny", "/home/u/keys")]
