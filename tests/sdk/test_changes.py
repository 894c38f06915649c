"""What differs between two renderings, and the least sufficient effect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tappass_host.sdk.artifacts import Artifact, ArtifactPath, Launch
from tappass_host.sdk.changes import changes, effect_at
from tappass_host.sdk.locators import leaves, longest_prefix, places

EFFECTS = {
    "settings#": "next_session",
    "settings#/permissions": "live",
    "settings#/permissions/allow": "none",
    "argv#": "process_restart",
}


def settings(doc, **rest):
    return Artifact(id="settings", doc=doc, **rest)


CASES = [
    ("nothing", {"a": 1}, {"a": 1}, "none", []),
    ("a scalar", {"a": 1}, {"a": 2}, "next_session", [("settings#/a", "changed")]),
    ("true is not 1", {"a": 1}, {"a": True}, "next_session", [("settings#/a", "changed")]),
    ("a key comes", {}, {"permissions": {"x": 1}}, "next_session", None),
    (
        "an entry comes, one goes",
        {"permissions": {"deny": ["Read(a)", "Read(b)"]}},
        {"permissions": {"deny": ["Read(b)", "Read(c/d)"]}},
        "live",
        [
            ("settings#/permissions/deny[Read(a)]", "removed"),
            ("settings#/permissions/deny[Read(c/d)]", "added"),
        ],
    ),
    (
        "longest prefix",
        {"permissions": {"allow": ["a"]}},
        {"permissions": {"allow": ["a", "b"]}},
        "none",
        None,
    ),
    (
        "prefixes end at parts",
        {"permissionsX": 1},
        {"permissionsX": 2},
        "next_session",
        [("settings#/permissionsX", "changed")],
    ),
    (
        "another order",
        {"permissions": {"deny": ["a", "b"]}},
        {"permissions": {"deny": ["b", "a"]}},
        "live",
        [("settings#/permissions/deny", "changed")],
    ),
    (
        "another number",
        {"permissions": {"deny": ["a", "b"]}},
        {"permissions": {"deny": ["a", "b", "a"]}},
        "live",
        [("settings#/permissions/deny", "changed")],
    ),
    (
        "entries that are mappings, by content",
        {"hooks": [{"b": 1, "a": 2}]},
        {"hooks": [{"a": 2, "b": 1}, {"a": 3}]},
        "next_session",
        [('settings#/hooks[{"a":3}]', "added")],
    ),
    ("keys that need escaping", {"a/b": 1}, {"a/b": 2}, "next_session", [("settings#/a~1b", "changed")]),
]


@pytest.mark.parametrize(
    ("old", "new", "effect", "entries"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_documents(old, new, effect, entries):
    result = changes([settings(old)], [settings(new)], EFFECTS)
    assert result.effect == effect
    assert entries is None or [(e.locator, e.change) for e in result.entries] == entries


def test_an_artifact_that_comes_takes_what_its_strictest_entry_takes():
    new = settings({"permissions": {"deny": ["a"]}})
    result = changes([], [new], EFFECTS)
    assert [tuple(e) for e in result.entries] == [("settings#", "added", "live")]
    assert changes([new], [], EFFECTS).entries[0].change == "removed"


def test_a_mode_is_part_of_a_rendering():
    result = changes([settings({}, mode=0o644)], [settings({}, mode=0o600)], EFFECTS)
    assert [tuple(e) for e in result.entries] == [("settings#", "changed", "next_session")]


def test_an_unknown_place_is_never_guessed_weak():
    assert effect_at("other#/a", {"settings#": "live"}) == "process_restart"
    assert effect_at("other#/a", {"settings#": "sandbox_recreate"}) == "sandbox_recreate"
    assert effect_at("other#/a", {}) == "process_restart"


def test_argv_and_launch():
    old = [Artifact(id="argv", codec="argv", doc=[["--ro-bind", "/usr", "/usr"], "--x"])]
    new = [Artifact(id="argv", codec="argv", doc=[["--bind", "/usr", "/usr"], "--x"])]
    assert [e.locator for e in changes(old, new, EFFECTS).entries] == [
        "argv#[--bind /usr /usr]",
        "argv#[--ro-bind /usr /usr]",
    ]
    one, two = (
        Artifact(id="launch", codec="launch", doc=Launch(program="p", args=("a", ArtifactPath(i))))
        for i in "xy"
    )
    assert [e.locator for e in changes([one], [two], {}).entries] == [
        'launch#/args[{"artifact":"x"}]',
        'launch#/args[{"artifact":"y"}]',
    ]


def test_places_and_what_is_above():
    artifact = settings({"a": {"b": ["x/y", "[z]"]}, "c": {}, "d[e]": 1})
    assert [tuple(leaf) for leaf in leaves(artifact)] == [
        ("settings#/a/b[x/y]", "x/y", ("settings#", "settings#/a", "settings#/a/b")),
        ("settings#/a/b[[z]]", "[z]", ("settings#", "settings#/a", "settings#/a/b")),
        ("settings#/c", {}, ("settings#",)),
        ("settings#/d[e]", 1, ("settings#",)),
    ]
    assert places(artifact) >= {"settings#", "settings#/a", "settings#/a/b", "settings#/a/b[[z]]"}


def test_two_places_with_one_locator_still_differ():
    old, new = settings({"a[b]": "b"}), settings({"a": ["b"]})
    assert [e.locator for e in changes([old], [new], EFFECTS).entries] == ["settings#"]


@pytest.mark.parametrize(
    ("locator", "prefix"),
    [
        ("settings#/a/b[x]", "settings#/a/b"),
        ("settings#/a/bc", "settings#/a"),
        ("settings-local#/a", ""),
        ("settings#/z", "settings"),
    ],
)
def test_longest_prefix(locator, prefix):
    assert longest_prefix(locator, ("settings", "settings#/a", "settings#/a/b", "")) == prefix


TREE = st.recursive(
    st.integers(0, 3) | st.text("ab/[]#~", max_size=3),
    lambda kids: (
        st.lists(kids, max_size=3) | st.dictionaries(st.text("ab/[]#~", max_size=2), kids, max_size=3)
    ),
)


@given(st.dictionaries(st.text("ab/[", max_size=2), TREE, max_size=3), st.dictionaries(st.text("ab/["), TREE))
def test_no_change_if_and_only_if_equal(old, new):
    assert not changes([settings(old)], [settings(old)], EFFECTS).entries
    if old != new:
        assert changes([settings(old)], [settings(new)], EFFECTS).entries
