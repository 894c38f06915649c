"""A log in a folder, with clocks and randomness that a test holds in its hands."""

import pytest

from tappass_host.audit.events import Decided, PolicyLabel, Started
from tappass_host.audit.write import Log, LogSettings

POLICY = PolicyLabel(digest="sha256:" + "a" * 64, version=7)


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self, now=1_790_000_000.0):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_log(tmp_path, clock):
    """Opens the same log again and again; closes what a test left open."""
    opened = []

    def make(name="log", **options):
        settings = LogSettings(**{"fsync": "batch", **options.pop("settings", {})})
        log = Log.open(
            tmp_path / name,
            component="test",
            sandbox="box",
            settings=settings,
            clock=clock,
            steady=clock,
            **options,
        )
        opened.append(log)
        return log

    yield make
    for log in opened:
        log.close()


@pytest.fixture
def started():
    return Started(component="test", version="1", policy=POLICY)


@pytest.fixture
def decided():
    def make(effect="allow", **fields):
        said = {
            "request": "r-1",
            "sandbox": "box",
            "tool": "Bash",
            "what": "git status",
            "args": "sha256:" + "b" * 64,
            "policy": POLICY,
        }
        return Decided(effect=effect, **{**said, **fields})

    return make
