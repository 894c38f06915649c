"""`policy sign`, `renew`, `revert`, `freshen` and `verify`: who says it, and until when."""

import base64
import json

import pytest


def test_sign_and_verify(run, signed):
    ran = run("verify", signed)
    assert ran.code == 0
    assert "1 of 1 needed, by sha256:" in ran.out
    document = run("verify", signed, "--json").json
    assert document["verified"] is True
    assert document["not_checked"] == ["Runtime", "sandbox"]


def test_signed_bytes_are_those_of_the_file(signed, compiled):
    with open(signed) as file, open(compiled, "rb") as plain:  # noqa: PTH123
        assert base64.b64decode(json.load(file)["payload"]) == plain.read()


def test_sign_without_a_root_makes_one(run, compiled):
    run("key", "new", "signing")
    ran = run("policy", "sign", compiled, "--key", "signing", "--out", "p.json")
    assert ran.code == 0
    assert "Made the root of acme" in ran.err
    assert run("verify", "p.json").code == 0


def test_sign_with_an_untrusted_key_says_so(run, signed, compiled):
    run("key", "new", "other")
    ran = run("policy", "sign", compiled, "--key", "other", "--out", "p.json", "--json")
    assert ran.code == 0
    assert ran.json["standing"].startswith("Not accepted by the root of acme")
    refused = run("verify", "p.json", "--json")
    assert (refused.code, refused.error["code"]) == (3, "signature")


def test_sign_adds_to_the_signatures_that_are_there(run, signed, compiled):
    run("key", "new", "other")
    assert run("policy", "sign", signed, "--key", "other", "--out", "both.json").code == 0
    with open("both.json") as file:  # noqa: PTH123
        assert len(json.load(file)["signatures"]) == 2
    assert run("policy", "sign", "both.json", "--key", "other", "--out", "both.json").code == 0
    with open("both.json") as file:  # noqa: PTH123
        assert len(json.load(file)["signatures"]) == 2
    assert run("verify", "both.json").code == 0


def test_sign_to_standard_output(run, signed, compiled):
    ran = run("policy", "sign", compiled, "--key", "signing")
    assert ran.code == 0
    assert set(ran.json) == {"payload", "payloadType", "signatures"}


def test_what_is_no_policy_is_not_signed(run, signed, place):
    (place / "bad.json").write_text('{"schema": "tappass.compiled-policy/v1"}')
    ran = run("policy", "sign", "bad.json", "--key", "signing", "--out", "p.json", "--json")
    assert ran.code == 2
    assert not (place / "p.json").exists()


def _edited(signed, place, change):
    envelope = json.loads((place / signed).read_text())
    change(envelope)
    (place / "bad.json").write_text(json.dumps(envelope))


def _another_payload(envelope):
    payload = base64.b64decode(envelope["payload"]).replace(b'"docs.example.com"', b'"docs.example.org"')
    envelope["payload"] = base64.b64encode(payload).decode()


def _another_role(envelope):
    envelope["payloadType"] = "application/vnd.tappass.root.v1+json"


def _twice(envelope):
    envelope["signatures"] *= 2


ATTACKS = {
    "another payload": (_another_payload, "signature"),
    "another role": (_another_role, "envelope"),
    "no signature": (lambda e: e["signatures"].clear(), "envelope"),
    "unknown field": (lambda e: e.update(x=1), "envelope"),
}


@pytest.mark.parametrize("name", list(ATTACKS))
def test_an_envelope_that_was_edited_is_refused(run, signed, place, name):
    change, code = ATTACKS[name]
    _edited(signed, place, change)
    ran = run("verify", "bad.json", "--json")
    assert (ran.code, ran.error["code"]) == (3, code)


def test_one_key_counts_once(run, signed, place):
    _edited(signed, place, _twice)
    assert len(run("verify", "bad.json", "--json").json["key_ids"]) == 1


def test_a_compiled_policy_is_not_verified(run, signed, compiled):
    ran = run("verify", compiled, "--json")
    assert (ran.code, ran.error["code"]) == (3, "envelope")
    assert "policy sign" in ran.error["remedy"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--at", "2099-01-01T00:00:00Z"], "expired"),
        (["--at", "2020-01-01T00:00:00Z"], "not-yet-valid"),
        (["--sandbox", "another"], "audience"),
        (["--runtime", "kernel=bubblewrap"], "runtime-digest"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_trust_refusals_are_exit_code_3(run, signed, args, code):
    ran = run("verify", signed, *args, "--json")
    assert (ran.code, ran.error["code"]) == (3, code)
    assert ran.error["file"] == (signed if code != "expired" or "--at" not in args else ran.error["file"])


def test_verify_for_a_host(run, signed):
    ran = run("verify", signed, "--sandbox", "coder", "--runtime", "box", "--json")
    assert ran.code == 0
    assert ran.json["not_checked"] == []


def test_verify_by_a_named_root(run, signed, tmp_path, monkeypatch):
    root = tmp_path / "home" / "roots" / "acme" / "1.root.json"
    kept = tmp_path / "acme.root.json"
    kept.write_bytes(root.read_bytes())
    monkeypatch.setenv("TAPPASS_HOME", str(tmp_path / "empty"))
    ran = run("verify", signed, "--json")
    assert ran.code == 3
    assert "no root of acme" in ran.error["message"]
    assert run("verify", signed, "--root", str(kept)).code == 0


def test_floors_stop_what_comes_back(run, signed, compiled):
    floors = ["--floors", "floors.json"]
    assert run("verify", signed, *floors).code == 0
    assert run("verify", signed, *floors).code == 0
    run("policy", "renew", compiled, "--out", "newer.json")
    run("policy", "sign", "newer.json", "--key", "signing", "--out", "newer.dsse.json")
    assert run("verify", "newer.dsse.json", *floors).code == 0
    ran = run("verify", signed, *floors, "--json")
    assert (ran.code, ran.error["code"]) == (3, "rollback")


def test_floors_notice_one_version_with_other_bytes(run, signed, compiled, sources):
    run("verify", signed, "--floors", "floors.json")
    agent = sources / "agent.yaml"
    agent.write_text(agent.read_text().replace("docs.", "wiki."))
    run("policy", "compile", "--out", "other.json", "--policy-version", "1")
    run("policy", "sign", "other.json", "--key", "signing", "--out", "other.dsse.json")
    before = (sources / "floors.json").read_bytes()
    ran = run("verify", "other.dsse.json", "--floors", "floors.json", "--json")
    assert (ran.code, ran.error["code"]) == (3, "equivocation")
    assert (sources / "floors.json").read_bytes() == before


def test_floors_that_cannot_be_read_accept_nothing(run, signed, place):
    (place / "floors.json").write_text("{")
    assert run("verify", signed, "--floors", "floors.json").code == 2


def test_renew_says_the_same_for_longer(run, compiled, place):
    ran = run("policy", "renew", compiled, "--expires-in", "10d", "--out", "renewed.json", "--json")
    assert (ran.code, ran.json["version"]) == (0, 2)
    old, new = (json.loads((place / name).read_text()) for name in (compiled, "renewed.json"))
    moved = {"version", "issued_at", "not_before", "expires_at", "provenance"}
    assert {k: v for k, v in old.items() if k not in moved} == {
        k: v for k, v in new.items() if k not in moved
    }
    assert f"head.expires_at[{new['expires_at']}]" in new["provenance"]
    assert run("policy", "show", "renewed.json").code == 0


def test_revert_brings_content_back_under_a_higher_version(run, compiled, sources):
    agent = sources / "agent.yaml"
    agent.write_text(agent.read_text().replace("docs.", "wiki."))
    run("policy", "compile", "--out", "now.json", "--policy-version", "9")
    ran = run("policy", "revert", compiled, "--over", "now.json", "--out", "back.json", "--json")
    assert (ran.code, ran.json["version"]) == (0, 10)
    assert "docs.example.com" in (sources / "back.json").read_text()


def test_revert_over_another_organisation(run, compiled, sources):
    org = sources / "org.yaml"
    org.write_text(org.read_text().replace("id: acme", "id: other"))
    run("policy", "compile", "--out", "other.json")
    ran = run("policy", "revert", compiled, "--over", "other.json", "--json")
    assert ran.code == 2
    assert "different organisations" in ran.error["message"]


def test_freshen_makes_a_statement_that_hosts_take(run, signed, tmp_path):
    import time

    from tappass_host.cli.home import load_root
    from tappass_host.cli.policies import load_policy
    from tappass_host.cli.trusted import vouch
    from tappass_host.policy.trust.freshness import verify_freshness
    from tappass_host.policy.trust.verify import Verified

    ran = run("policy", "freshen", signed, "--key", "signing", "--out", "fresh.json", "--json")
    assert ran.code == 0
    now = int(time.time())
    root = load_root("acme", now=now)
    vouched = vouch(load_policy(signed), root, now=now)
    verified = Verified(
        vouched.signed.payload,
        vouched.signed.digest,
        vouched.signed.key_ids,
        {},
        vouched.head,
        vouched.floor_key,
    )
    with open("fresh.json", "rb") as file:  # noqa: PTH123
        fresh = verify_freshness(file.read(), root, verified, now=now, max_age_s=60)
    assert fresh.state == "fresh"


def test_freshen_with_a_key_that_may_not(run, signed, place):
    run("key", "new", "other")
    ran = run("policy", "freshen", signed, "--key", "other", "--out", "fresh.json", "--json")
    assert (ran.code, ran.error["code"]) == (3, "signature")
    assert not (place / "fresh.json").exists()


def test_freshen_what_nobody_signed(run, signed, compiled):
    assert run("policy", "freshen", compiled, "--key", "signing").code == 3
