"""Answers about a host: true to what is there, bounded, and changing nothing."""

import os

import pytest

from tappass_host.prove import answers as module
from tappass_host.prove.answers import Answers
from tappass_host.sdk.facts import UNKNOWN, Query


@pytest.fixture
def tree(tmp_path):
    for path in (".env", "a/.env", "a/b/.env", "a/b/key.pem", "c/.git/config", "c/x.txt"):
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    (tmp_path / "link").symlink_to("a")
    return tmp_path


def ask(kind, arg, **settings):
    return Answers({}, **settings)(Query(kind, str(arg)))


PATTERNS = {
    "**/.env": [".env", "a/.env", "a/b/.env"],
    "*/.env": ["a/.env"],
    "**/*.pem": ["a/b/key.pem"],
    "**/.git/config": ["c/.git/config"],
    "**/b": ["a/b"],
    "**/nothing": [],
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_name_what_is_there_and_do_not_follow_links(tree, pattern):
    assert ask("glob", tree / pattern) == tuple(sorted(str(tree / p) for p in PATTERNS[pattern]))


def test_one_walk_serves_all_patterns_of_a_folder(tree, monkeypatch):
    walks = []
    real = os.walk
    monkeypatch.setattr(module.os, "walk", lambda root: walks.append(root) or real(root))
    answers = Answers({})
    for pattern in PATTERNS:
        answers(Query("glob", str(tree / pattern)))
    assert len(walks) == 1


def test_a_tree_too_large_to_see_whole_leaves_the_question_open(tree, monkeypatch):
    monkeypatch.setattr(module, "_MOST_PATHS", 3)
    assert ask("glob", tree / "**/.env") is UNKNOWN


def test_kinds(tree):
    assert ask("path_kind", tree / "a") == "dir"
    assert ask("path_kind", tree / ".env") == "file"
    assert ask("path_kind", tree / "link") == "symlink:a"
    assert ask("path_kind", tree / "gone") == "missing"
    assert ask("path_kind", "/etc/to-be-made", folders=["/etc/to-be-made"]) == "dir"


def test_programs_and_variables():
    assert Answers({"claude": "/opt/claude"})(Query("program", "claude")) == "/opt/claude"
    assert ask("program", "no-such-program") == ""
    assert ask("env", "LANG", env={"LANG": "C"}) == "C"
    assert ask("env", "LANG") is UNKNOWN
    assert ask("colour", "blue") is UNKNOWN
