import json
import os

import pytest

from tappass_host.policy.canonical import digest
from tappass_host.runners import run
from tappass_host.runners.engines.monty import MontyEngine
from tappass_host.sdk.configs.interpreter import Mount

CODE = "print('ran')\n1"


@pytest.fixture
def refused(monty, now):
    """Run, and insist that nothing ran; returns the result."""

    def go(manifest, **kwargs):
        result = run(manifest, CODE, **({"now": now} | kwargs))
        assert (result.status, result.ran, result.stdout, result.calls) == ("denied", False, "", ())
        return result

    return go


def test_control_a_good_manifest_runs(run_code):
    result = run_code(CODE)
    assert (result.status, result.ran, result.result, result.stdout) == ("ok", True, 1, "ran\n")
    assert (result.policy.version, result.policy.digest) == (7, "sha256:" + "0" * 64)
    assert result.target.id == "monty"
    assert result.target.version.startswith("1.4")
    assert 0 < result.usage.wall_ms < 10_000
    assert result.usage.peak_rss_kb > 1000


def test_the_file_of_a_manifest_works_like_its_bytes(monty, make_manifest, tmp_path, now):
    path = tmp_path / "manifest.json"
    path.write_bytes(make_manifest())
    assert run(path, CODE, now=now).result == 1


TIMES = [
    ("expired this second", "2027-01-01T00:00:00Z", "2027-01-15T08:00:00Z", "ExpiredError"),
    ("expired long ago", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z", "ExpiredError"),
    ("not yet valid", "2027-01-15T08:00:01Z", "2027-02-01T00:00:00Z", "NotYetValidError"),
    ("never valid", "2027-02-01T00:00:00Z", "2027-01-01T00:00:00Z", "NotYetValidError"),
]


@pytest.mark.parametrize(
    ("not_before", "expires_at", "error"), [t[1:] for t in TIMES], ids=[t[0] for t in TIMES]
)
def test_out_of_its_time_nothing_runs(refused, make_manifest, not_before, expires_at, error):
    result = refused(make_manifest(policy={"not_before": not_before, "expires_at": expires_at}))
    assert (result.error.type, result.exit_code) == (error, 3)


def test_the_last_second_still_runs(monty, make_manifest, now):
    assert run(make_manifest(policy={"expires_at": "2027-01-15T08:00:01Z"}), "1", now=now + 0.0).ran


def test_without_now_the_clock_decides(refused, make_manifest):
    past = {"not_before": "2001-01-01T00:00:00Z", "expires_at": "2002-01-01T00:00:00Z"}
    assert refused(make_manifest(policy=past), now=None).error.type == "ExpiredError"


def test_only_manifests_of_the_active_generation_run(refused, make_manifest, monty, now):
    data = make_manifest()
    assert run(data, CODE, now=now, active_digests={digest(data)}).result == 1
    looser = make_manifest(limits={"memory_bytes": 1 << 30})
    result = refused(looser, active_digests={digest(data)})
    assert (result.error.type, result.exit_code) == ("TrustError", 3)
    assert refused(data, active_digests=()).exit_code == 3


def test_a_manifest_with_one_byte_changed_does_not_run(refused, make_manifest):
    data = make_manifest()
    tampered = data.replace(b'"recursion":1000', b'"recursion":1001')
    assert tampered != data
    assert refused(tampered, active_digests={digest(data)}).exit_code == 3


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"{" * 5000, b" " * (4 * 1024 * 1024 + 1)])
def test_what_is_no_manifest_runs_nothing(refused, data):
    assert refused(data).exit_code == 2


def test_files_that_are_no_plain_files_are_not_read(refused, tmp_path, make_manifest):
    real = tmp_path / "real.json"
    real.write_bytes(make_manifest())
    (tmp_path / "link.json").symlink_to(real)
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("link.json", "pipe.json", "absent.json", "."):
        assert refused(tmp_path / name).error.type == "WireError"


def test_unknown_engine(refused, make_manifest):
    result = refused(make_manifest(target={"id": "cpython"}))
    assert (result.error.type, result.exit_code) == ("SchemaError", 2)


@pytest.mark.parametrize("versions", ["1.5", "1", "1.40", "1.4.9999", "1.3,2"])
def test_only_the_versions_the_manifest_names_run(refused, run_code, make_manifest, versions):
    if versions == "1":  # a prefix of whole numbers: 1 is every 1.x
        assert run_code("1", target={"versions": versions}).ran
    else:
        result = refused(make_manifest(target={"versions": versions}))
        assert (result.error.type, result.exit_code) == ("MissingTargetError", 4)


def test_without_versions_only_the_proven_ones_run(refused, run_code, make_manifest, monkeypatch):
    assert run_code("1", target={"versions": ""}).status == "ok"
    monkeypatch.setattr(MontyEngine, "versions", ("1.3",))
    assert refused(make_manifest(target={"versions": ""})).exit_code == 4
    assert run_code("1", target={"versions": "1.4"}).status == "ok"


def test_a_mount_behind_a_symbolic_link_is_refused(refused, make_manifest, tmp_path, monty, now):
    real = tmp_path.resolve() / "real"
    (real / "sub").mkdir(parents=True)
    link = tmp_path.resolve() / "link"
    link.symlink_to(real)

    def mounting(host):
        return make_manifest(mounts=(Mount(host=str(host), guest="/d"),))

    assert run(mounting(real), "1", now=now).status == "ok"
    assert refused(mounting(link)).exit_code == 2
    assert refused(mounting(link / "sub")).exit_code == 2
    assert refused(mounting(real / "absent")).exit_code == 4


def test_the_policy_that_expires_during_the_run_ends_it(monty, make_manifest, now):
    data = make_manifest(policy={"expires_at": "2027-01-15T08:00:01Z"}, limits={"cpu_time_ms": 9000})
    result = run(data, "while True: pass", now=now)
    assert (result.status, result.error.type) == ("timeout", "ExpiredError")
    assert result.usage.wall_ms < 5000


def test_bad_requests_run_nothing(refused, make_manifest):
    data = make_manifest()
    assert refused(data, input=object()).exit_code == 2
    assert refused(data, host_functions={"http_get": lambda url: url}).exit_code == 2


def test_too_much_code_runs_nothing(monty, make_manifest, now):
    result = run(make_manifest(), "#" * (1 << 20) + "\n1", now=now)
    assert (result.status, result.ran) == ("denied", False)


def test_the_result_is_one_json_object(run_code):
    document = json.loads(run_code("{'a': (1, 2)}").to_json())
    assert document["result"] == {"a": [1, 2]}
    assert set(document) == {
        "status", "ran", "result", "stdout", "error", "calls", "calls_dropped", "usage", "policy", "target"
    }  # fmt: skip
