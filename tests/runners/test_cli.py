import json
import subprocess
import sys

import pytest


@pytest.fixture
def tappass_runners(monty, make_manifest, tmp_path):
    manifest = tmp_path / "manifest.json"

    def go(code, *arguments, policy=None, **fields):
        policy = {"not_before": "2020-01-01T00:00:00Z", "expires_at": "2100-01-01T00:00:00Z"} | (policy or {})
        manifest.write_bytes(make_manifest(policy=policy, **fields))
        done = subprocess.run(
            [sys.executable, "-m", "tappass_host.runners", "--manifest", manifest, *arguments],
            input=code.encode() if isinstance(code, str) else code,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.stdout.count(b"\n") == 1, done
        return done.returncode, json.loads(done.stdout)

    return go


CASES = [
    ("ok", "print('x')\ninput['a'] + 1.5", ("--input", '{"a": 1}'), {}, 0, "ok"),
    ("error of the code", "1/0", (), {}, 0, "error"),
    ("denied to the code", "open('/etc/passwd')", (), {}, 0, "denied"),
    ("timeout", "while True: pass", (), {"limits": {"cpu_time_ms": 200}}, 0, "timeout"),
    ("bad input", "1", ("--input", "{"), {}, 2, "denied"),
    ("not utf-8", b"\xff", (), {}, 2, "denied"),
    ("unknown engine", "1", (), {"target": {"id": "nope"}}, 2, "denied"),
    ("expired", "1", (), {"policy": {"expires_at": "2021-01-01T00:00:00Z"}}, 3, "denied"),
    ("not active", "1", ("--active", "sha256:" + "0" * 64), {}, 3, "denied"),
    ("wrong version installed", "1", (), {"target": {"versions": "9.9"}}, 4, "denied"),
]


@pytest.mark.parametrize(
    ("code", "arguments", "fields", "expected"), [(*c[1:4], c[4:]) for c in CASES], ids=[c[0] for c in CASES]
)
def test_one_json_object_and_the_exit_code(tappass_runners, code, arguments, fields, expected):
    exit_code, status = expected
    returned, document = tappass_runners(code, *arguments, **fields)
    assert (returned, document["status"]) == (exit_code, status), document
    assert document["ran"] is (exit_code == 0)
    if status == "ok":
        assert (document["result"], document["stdout"]) == (2.5, "x\n")
