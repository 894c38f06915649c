"""The daemon: drift, links, expiry, trouble, and one at a time."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tappass_host.host import clock
from tappass_host.host.clock import Mark, Reading
from tappass_host.host.daemon import Daemon
from tappass_host.host.engine import Engine, QuarantineError, Wanted
from tappass_host.host.lock import BusyError
from tappass_host.host.store import Meta
from tappass_host.policy.errors import EquivocationError, ExpiredError, RollbackError

START = 1_800_000_000
END = START + 1000


class Clocks:
    """Clocks that a test sets."""

    def __init__(self):
        self.wall, self.boot = float(START), 500.0

    def __call__(self):
        return Reading(self.wall, self.boot, "boot-a")


class Host:
    def __init__(self, root):
        self.state, self.etc, self.said, self.clocks = root / "state", root / "etc", [], Clocks()
        self.settings = self.etc / "tool" / "settings.json"
        self.extra = self.etc / "tool" / "extra.json"
        self.daemon = Daemon(
            self.state, lambda word, text: self.said.append((word, text)), clocks=self.clocks, period_s=0.1
        )

    def apply(self, text="normal", version=1, **fields):
        meta = Meta("", version, f"sha256:{text}", f"sha256:plan-{text}", "acme", "box|", START, END)
        wanted = {str(self.settings): Wanted(text.encode()), str(self.extra): Wanted(b"extra")}
        locked = {str(self.settings): Wanted(b"locked")}
        with self.engine() as engine:
            engine.store.keep_mark(Mark(START, 500.0, "boot-a"))
            return engine.apply(wanted, meta._replace(**fields), lockdown=locked, adopt=True)

    def engine(self):
        return Engine.opened(self.state, wait_s=5)

    def words(self):
        return [word for word, _ in self.said]

    def audited(self):
        folder = self.state / "audit"
        return b"".join(path.read_bytes() for path in sorted(folder.glob("*")) if path.is_file()).decode()

    @property
    def text(self):
        return self.settings.read_text()


@pytest.fixture
def host(tmp_path):
    made = Host(tmp_path.resolve())
    yield made
    made.daemon.close()


def put_link(path):
    path.unlink()
    path.symlink_to("/etc/hostname")


def put_second_name(path):
    os.link(path, path.with_name("second"))


DRIFT = {
    "content": lambda p: p.write_text("tampered"),
    "mode": lambda p: p.chmod(0o666),
    "removed": lambda p: p.unlink(),
    "a link": put_link,
    "a second name": put_second_name,
    "the folder": lambda p: (p.unlink(), (p.parent / "extra.json").unlink(), p.parent.rmdir()),
}


@pytest.mark.parametrize("how", DRIFT)
def test_drift_is_put_right_said_and_recorded(host, how):
    host.apply()
    DRIFT[how](host.settings)
    mended = host.daemon.once()
    assert {m.error for m in mended} == {""}
    assert host.text == "normal"
    assert not host.settings.is_symlink()
    assert host.settings.stat().st_nlink == 1
    assert ("restored", str(host.settings)) in host.said
    host.daemon.close()
    assert '"type":"drift"' in host.audited()
    assert host.daemon.once() == ()


def test_a_file_that_cannot_be_put_right_does_not_keep_the_others_from_it(host):
    host.apply()
    host.settings.unlink()
    host.settings.mkdir()
    host.extra.write_text("tampered")
    assert sorted(bool(m.error) for m in host.daemon.once()) == [False, True]
    assert host.extra.read_text() == "extra"
    assert "FAILED" in host.words()


def test_an_audit_log_that_cannot_be_written_is_said_and_stops_nothing(host):
    host.apply()
    (host.state / "audit").write_text("no folder")
    host.settings.write_text("tampered")
    host.daemon.once()
    assert host.text == "normal"
    assert host.words().count("unaudited") == 1


# Time.

# What the clocks show relative to the start of the policy, and whether its lock-down is in force then.
TIMES = {
    "right before the end": (999, 999, False),
    "at the end": (1000, 1000, True),
    "the wall clock set back, the end over": (-5000, 1001, True),
    "asleep over the end": (0, 2000, True),
    "the wall clock set ahead": (1001, 10, True),
}


@pytest.mark.parametrize("name", TIMES)
def test_time(host, name):
    wall, boot, locked = TIMES[name]
    host.apply()
    host.clocks.wall, host.clocks.boot = START + wall, 500.0 + boot
    host.daemon.once()
    assert host.text == ("locked" if locked else "normal")
    assert ("EXPIRED" in host.words()) == locked
    host.daemon.close()
    assert ('"type":"expired"' in host.audited()) == locked if locked else True


def test_a_clock_set_back_revives_nothing_and_a_clock_set_right_lets_a_person_release(host):
    host.apply()
    host.clocks.wall = END + 5.0
    host.daemon.once()
    host.clocks.wall, host.clocks.boot = START + 10.0, 510.0
    host.daemon.once()
    assert host.text == "locked"
    with host.engine() as engine:
        assert engine.now(host.clocks()) < END
        engine.release(engine.now(host.clocks()))
    assert host.text == "normal"


def test_what_is_over_by_the_boot_clock_is_not_released_whatever_the_wall_clock_shows(host):
    host.apply()
    host.clocks.wall, host.clocks.boot = START - 9000.0, 500.0 + 1200
    host.daemon.once()
    with host.engine() as engine, pytest.raises(ExpiredError):
        engine.release(engine.now(host.clocks()))
    assert host.text == "locked"


def test_a_retained_policy_stays_until_it_is_retained_no_longer(host):
    host.apply(retain_until=END + 100)
    for after, expected in ((50, "normal"), (100, "locked")):
        host.clocks.wall, host.clocks.boot = END + after, 1500.0 + after
        host.daemon.once()
        assert host.text == expected


def test_the_mark_is_kept_now_and_then(host):
    host.apply()
    host.clocks.wall, host.clocks.boot = START + 59.0, 559.0
    host.daemon.once()
    with host.engine() as engine:
        assert engine.store.mark().instant == START
    host.clocks.wall, host.clocks.boot = START + 61.0, 561.0
    host.daemon.once()
    with host.engine() as engine:
        assert engine.store.mark().instant == START + 61


def test_a_renewed_policy_ends_the_lock_down_of_an_expiry(host):
    host.apply()
    host.clocks.wall, host.clocks.boot = END + 1.0, 1501.0
    host.daemon.once()
    host.apply("renewed", 2, expires_at=END + 1000)
    assert host.text == "renewed"
    assert host.daemon.once() == ()


# Lock-down by a person.


def test_a_lock_down_takes_away_what_it_does_not_have_and_originals_come_back_only_later(host):
    host.etc.joinpath("tool").mkdir(parents=True)
    host.extra.write_text("the user's own, and looser")
    host.apply()
    with host.engine() as engine:
        engine.lock_down("token leaked")
        assert engine.drifted() == ()
    assert host.text == "locked"
    assert not host.extra.exists()
    host.extra.write_text("put back by somebody")
    host.daemon.once()
    assert not host.extra.exists()
    with host.engine() as engine:
        engine.release(START)
        assert host.extra.read_text() == "extra"
        engine.lock_down("again")
        engine.uninstall()
    assert host.extra.read_text() == "the user's own, and looser"
    assert not host.settings.exists()


def test_an_operators_lock_down_outlasts_a_new_policy(host):
    host.apply()
    with host.engine() as engine:
        engine.lock_down("token leaked")
    host.apply("newer", 2)
    assert host.text == "locked"
    with host.engine() as engine:
        assert engine.drifted() == ()
        with pytest.raises(QuarantineError, match="operator"):
            engine.rollback(START)
        engine.release(START)
        assert host.text == "newer"
        with pytest.raises(QuarantineError, match="locked down"):
            engine.release(START)


def test_without_a_generation_or_without_its_lock_down_there_is_none(host):
    with host.engine() as engine:
        with pytest.raises(QuarantineError, match="nothing is in force"):
            engine.lock_down("x")
        engine.apply({str(host.settings): Wanted(b"x")}, Meta("", 1, "d", "p", expires_at=END))
        with pytest.raises(QuarantineError, match="no lock-down"):
            engine.lock_down("x")


def test_a_kill_in_a_lock_down_leaves_the_old_set_or_the_new_one(host):
    from tappass_host.host import beneath

    host.apply()
    made = []
    for number in range(100):
        child = os.fork()
        if child == 0:
            left = [number]

            def die(_step, left=left):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            beneath.before_step = die
            try:
                with host.engine() as engine:
                    engine.lock_down("x")
            finally:
                os._exit(0)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        with host.engine() as engine:
            made.append(engine.store.force().rendering)
            assert engine.drifted() == ()
            assert (host.text, host.extra.exists()) == (
                ("normal", True) if made[-1] == "normal" else ("locked", False)
            )
            if made[-1] == "lockdown":
                engine.release(START)
        if not killed:
            break
    assert number >= 5
    assert set(made) == {"normal", "lockdown"}


# Rollback.

REFUSED = {
    "below the floor": (("b", 2), RollbackError),
    "the same version with other content": (("b", 1), EquivocationError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_rollback_is_refused(host, name):
    (text, version), error = REFUSED[name]
    host.apply("a")
    host.apply(text, version)
    with host.engine() as engine:
        with pytest.raises(error):
            engine.rollback(START)
        assert host.text == text


def test_a_rollback_to_what_is_over_is_refused(host):
    host.apply("a")
    host.apply("b", policy_digest="sha256:a")
    with host.engine() as engine, pytest.raises(ExpiredError):
        engine.rollback(END)


# As a process.


@pytest.fixture
def started(host):
    children = []

    def start():
        argv = [
            sys.executable,
            "-m",
            "tappass_host.cli.host_main",
            "daemon",
            "--host-root",
            str(host.etc.parent),
        ]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        children.append(child)
        assert "looks after" in child.stdout.readline()
        return child

    host.state = host.etc.parent / "var" / "lib" / "tappass"
    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate(timeout=10)


def within(seconds, holds):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def real(host, text="normal", version=1):
    meta = Meta("", version, f"sha256:{text}", f"sha256:{text}", "acme", "box|", 0, int(time.time()) + 3600)
    with host.engine() as engine:
        engine.store.keep_mark(clock.vouched(clock.read(), None, not_after=meta.expires_at))
        engine.apply({str(host.settings): Wanted(text.encode())}, meta, adopt=True)


def test_a_process_restores_again_and_again_follows_applies_and_ends_on_sigterm(host, started):
    real(host)
    child = started()
    for how in ("content", "removed", "a link", "content"):
        DRIFT[how](host.settings)
        assert within(
            5, lambda: host.settings.is_file() and not host.settings.is_symlink() and host.text == "normal"
        ), how
    real(host, "newer", 2)
    time.sleep(0.3)
    assert host.text == "newer"
    host.settings.unlink()
    host.settings.parent.rmdir()
    assert within(5, lambda: host.settings.exists() and host.text == "newer")
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=10)
    assert (child.returncode, err) == (0, "")
    assert "ended" in out


def test_there_is_one_daemon(host):
    host.apply()
    stop = threading.Event()
    first = threading.Thread(target=host.daemon.run, args=(stop,))
    first.start()
    try:
        assert within(5, lambda: "daemon" in host.words())
        with pytest.raises(BusyError, match="another daemon"):
            Daemon(host.state, lambda *_: None).run(threading.Event())
    finally:
        stop.set()
        first.join(10)
    assert not first.is_alive()


def test_state_that_is_gone_is_said(host):
    host.apply()
    host.daemon.once()
    for path in host.state.glob("state.db*"):
        path.unlink()
    host.daemon.once()
    assert "LOST" in host.words()
    assert host.text == "normal"


def test_a_damaged_journal_is_said_once_and_the_daemon_lives_on(host):
    host.apply()
    (host.state / "journal.json").write_text("{")
    for _ in range(3):
        host.daemon._tried()
    assert host.words() == ["error"]
    (host.state / "journal.json").unlink()
    host.settings.write_text("tampered")
    host.daemon._tried()
    assert host.text == "normal"


def test_an_end_that_comes_while_nothing_happens_is_noticed_by_the_running_daemon(host):
    host.apply()
    stop = threading.Event()
    running = threading.Thread(target=host.daemon.run, args=(stop,))
    running.start()
    try:
        assert within(5, lambda: "daemon" in host.words())
        time.sleep(0.3)
        assert host.text == "normal"
        host.clocks.boot += 1000
        # Well below the time after which everything is read anew.
        assert within(3, lambda: host.text == "locked")
    finally:
        stop.set()
        running.join(10)
