"""Apply, roll back, drift, uninstall: all or none, whatever happens in between."""

import os
import signal

import pytest

from tappass_host.host import beneath
from tappass_host.host.engine import Engine, ForeignFileError, QuarantineError, Wanted
from tappass_host.host.store import Meta, StoreError

NOW = 1_800_000_000
META = Meta("2026-01-01T00:00:00Z", 1, "sha256:a", "sha256:plan-a", expires_at=NOW + 1000)


@pytest.fixture
def host(tmp_path):
    return tmp_path.resolve()


def wanted(host, name, count=4):
    files = {
        str(host / "etc" / f"tool{i}" / "settings.json"): Wanted(f"{name}{i}".encode(), 0o644)
        for i in range(count)
    }
    return files | {str(host / "state" / "run.args"): Wanted(name.encode(), 0o600)}


def meta(plan, version=1):
    return META._replace(plan_digest=f"sha256:{plan}", policy_version=version)


def apply(host, files, plan, **settings):
    with Engine.opened(host / "state" / "db") as engine:
        return engine.apply(files, meta(plan), **settings)


def tree(folder):
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mode & 0o777)
        for p in sorted(folder.rglob("*"))
        if p.is_file() and "db" not in p.relative_to(folder).parts
    }


def test_a_plan_after_an_apply_is_empty(host):
    files = wanted(host, "a")
    assert apply(host, files, "a") is not None
    with Engine.opened(host / "state" / "db") as engine:
        assert engine.plan(files) == ()
        assert engine.apply(files, meta("a")) is None


def test_files_that_are_no_longer_wanted_go(host):
    apply(host, wanted(host, "a", 4), "a")
    apply(host, wanted(host, "b", 2), "b")
    assert not (host / "etc" / "tool3" / "settings.json").exists()
    assert tree(host) == {k: v for k, v in tree(host).items() if "tool2" not in k}


def test_a_foreign_file_is_refused_and_nothing_is_written(host):
    place = host / "etc" / "tool0" / "settings.json"
    place.parent.mkdir(parents=True)
    place.write_text("the user's own")
    before = tree(host)
    with pytest.raises(ForeignFileError) as refused:
        apply(host, wanted(host, "a"), "a")
    assert refused.value.source == str(place)
    assert tree(host) == before


def test_adopted_files_come_back_byte_by_byte(host):
    place = host / "etc" / "tool0" / "settings.json"
    place.parent.mkdir(parents=True)
    place.write_text("the user's own")
    place.chmod(0o600)
    before, folders = tree(host), {p for p in host.rglob("*") if p.is_dir()}
    apply(host, wanted(host, "a"), "a", adopt=True)
    apply(host, wanted(host, "b"), "b")
    assert place.read_text() == "b0"
    with Engine.opened(host / "state" / "db") as engine:
        engine.uninstall()
    assert tree(host) == before
    left = {p for p in host.rglob("*") if p.is_dir() and "state" not in p.relative_to(host).parts}
    assert left == folders


def test_a_path_given_up_gets_its_original_back(host):
    place = host / "etc" / "tool3" / "settings.json"
    place.parent.mkdir(parents=True)
    place.write_text("mine")
    apply(host, wanted(host, "a", 4), "a", adopt=True)
    apply(host, wanted(host, "b", 3), "b")
    assert place.read_text() == "mine"


def test_rollback_puts_the_rendering_before_back(host):
    apply(host, wanted(host, "a"), "a")
    first = tree(host)
    apply(host, wanted(host, "b"), "b")
    with Engine.opened(host / "state" / "db") as engine:
        engine.rollback(NOW)
    assert tree(host) == first


def test_without_a_generation_before_there_is_no_rollback(host):
    apply(host, wanted(host, "a"), "a")
    with Engine.opened(host / "state" / "db") as engine, pytest.raises(QuarantineError):
        engine.rollback(NOW)


DRIFT = {
    "content": lambda p: p.write_text("tampered"),
    "mode": lambda p: p.chmod(0o666),
    "removed": lambda p: p.unlink(),
}


@pytest.mark.parametrize("how", DRIFT)
def test_drift_is_found_and_restored(host, how):
    files = wanted(host, "a")
    apply(host, files, "a")
    good = tree(host)
    DRIFT[how](host / "etc" / "tool1" / "settings.json")
    with Engine.opened(host / "state" / "db") as engine:
        assert [c.path for c in engine.drifted()] == [str(host / "etc" / "tool1" / "settings.json")]
        engine.restore()
        assert engine.drifted() == ()
    assert tree(host) == good


def steps_of(host, files, plan):
    made = []
    beneath.before_step = made.append
    try:
        apply(host, files, plan)
    finally:
        beneath.before_step = lambda _step: None
    return len(made)


def killed_at(host, number, files, plan):
    """Apply in a child that is killed right before a step; True if it was."""
    child = os.fork()
    if child == 0:
        left = [number]

        def die(_step):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        beneath.before_step = die
        try:
            apply(host, files, plan)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


SETS = {"change": (4, 4), "grow": (2, 6), "shrink": (6, 2), "first": (0, 4), "adopted": (4, 3)}


@pytest.mark.parametrize("name", SETS)
def test_a_kill_at_any_step_leaves_wholly_the_old_or_wholly_the_new_set(host, name):
    before_count, after_count = SETS[name]
    probe = host / "probe"
    if before_count:
        apply(probe, wanted(probe, "a", before_count), "a")
    total = steps_of(probe, wanted(probe, "b", after_count), "b")
    kills = 0
    for number in range(total):
        place = host / f"n{number}"
        if before_count:
            apply(place, wanted(place, "a", before_count), "a")
        old = tree(place) if place.exists() else {}
        kills += killed_at(place, number, wanted(place, "b", after_count), "b")
        with Engine.opened(place / "state" / "db") as engine:
            engine.recover()
            now = tree(place)
            new = {k.replace(str(probe), str(place)): v for k, v in tree(probe).items()}
            assert now in (old, new), number
            assert engine.drifted() == ()
        assert not (place / "state" / "db" / "journal.json").exists()
    assert kills == total
    assert total >= 20


def test_two_engines_cannot_work_at_once(host):
    with (
        Engine.opened(host / "db"),
        pytest.raises(QuarantineError, match="at work"),
        Engine.opened(host / "db"),
    ):
        pass


def test_a_damaged_journal_is_not_carried_out(host):
    apply(host, wanted(host, "a"), "a")
    (host / "state" / "db" / "journal.json").write_text("{")
    with pytest.raises(QuarantineError, match="journal"), Engine.opened(host / "state" / "db"):
        pass


def test_a_damaged_database_is_said_to_be_one(host):
    apply(host, wanted(host, "a"), "a")
    for path in (host / "state" / "db").glob("state.db*"):
        path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="damaged"):
        Engine(host / "state" / "db")


def test_a_changed_object_is_never_written(host):
    apply(host, wanted(host, "a"), "a")
    apply(host, wanted(host, "b"), "b")
    for path in (host / "state" / "db" / "objects").iterdir():
        path.write_text("other")
    with Engine.opened(host / "state" / "db") as engine, pytest.raises(StoreError, match="changed"):
        engine.rollback(NOW)
