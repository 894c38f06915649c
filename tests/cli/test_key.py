"""Keys and roots: where they lie, who may read them, how they are rotated."""

import stat

import pytest

from tappass_host.cli import home


@pytest.fixture
def base(tmp_path):
    return tmp_path / "home"


def test_the_first_key_makes_a_root(run, base):
    ran = run("key", "new", "signing", "--org", "acme", "--json")
    assert ran.code == 0
    made = ran.json
    assert made["public"].startswith("ed25519:")
    assert made["root"] == str(base / "roots" / "acme" / "1.root.json")
    assert stat.S_IMODE((base / "keys" / "signing.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((base / "keys").stat().st_mode) == 0o700
    listed = run("key", "list", "--json").json
    assert {key["key"]: key["trusted_for"] for key in listed["keys"]} == {
        "acme-root": ["acme:root"],
        "signing": ["acme:policy", "acme:freshness"],
    }
    assert listed["roots"][0]["org_id"] == "acme"


def test_a_second_key_is_not_trusted_by_itself(run):
    run("key", "new", "signing", "--org", "acme")
    ran = run("key", "new", "other", "--org", "acme")
    assert ran.code == 0
    assert "acme does not trust it yet" in ran.err
    keys = run("key", "list", "--json").json["keys"]
    assert {k["key"]: k["trusted_for"] for k in keys}["other"] == []


def test_no_secret_is_ever_printed(run, base):
    ran = run("key", "new", "signing", "--org", "acme", "--json")
    secret = (base / "keys" / "signing.pem").read_text().splitlines()[1]
    listed = run("key", "list", "--json")
    assert all(secret not in text for text in (ran.out, ran.err, listed.out, listed.err))


@pytest.mark.parametrize("name", ["../x", "a b", "", ".hidden", "x" * 65, "a/b"])
def test_names_of_keys(run, name):
    ran = run("key", "new", name)
    assert ran.code == 2
    assert "no name for a key" in ran.err


def test_a_key_is_never_replaced(run, base):
    run("key", "new", "signing")
    before = (base / "keys" / "signing.pem").read_bytes()
    ran = run("key", "new", "signing")
    assert ran.code == 2
    assert "there is a key signing already" in ran.err
    assert "key rotate signing" in ran.err
    assert (base / "keys" / "signing.pem").read_bytes() == before


def test_nothing_lies_in_the_project(run, place):
    run("key", "new", "signing", "--org", "acme")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"TAPPASS_HOME": "/t"}, "/t"),
        ({"XDG_CONFIG_HOME": "/x"}, "/x/tappass"),
        ({"XDG_CONFIG_HOME": "relative"}, "{home}/.config/tappass"),
        ({}, "{home}/.config/tappass"),
    ],
)
def test_where_state_lies(monkeypatch, tmp_path, env, expected):
    monkeypatch.delenv("TAPPASS_HOME")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert str(home.home()) == expected.format(home=tmp_path)


@pytest.mark.parametrize("org", ["../../etc", "a/b", "..", "é ", "."])
def test_an_organisation_cannot_choose_another_folder(org, base):
    folder = home.root_folder(org)
    assert folder.parent == base / "roots"
    assert folder.name not in (".", "..")


def test_a_key_that_others_can_read_signs_nothing(run, compiled, base):
    run("key", "new", "signing")
    (base / "keys" / "signing.pem").chmod(0o644)
    ran = run("policy", "sign", compiled, "--key", "signing", "--json")
    assert ran.code == 2
    assert ran.error["message"] == "others may read this private key"
    assert "chmod 600" in ran.error["remedy"]


def test_a_key_that_is_not_there(run, compiled):
    ran = run("policy", "sign", compiled, "--key", "signing", "--json")
    assert ran.code == 2
    assert ran.error["remedy"] == "make it with tappass key new signing"


def test_list_opens_no_private_key(run, base):
    run("key", "new", "signing", "--org", "acme")
    (base / "keys" / "signing.pem").write_text("not a key")
    ran = run("key", "list", "--json")
    assert ran.code == 0
    assert "signing" in {key["key"] for key in ran.json["keys"]}


def test_a_file_that_is_no_key(run, compiled, place):
    (place / "x.pem").write_text("not a key")
    (place / "x.pem").chmod(0o600)
    ran = run("policy", "sign", compiled, "--key", "x.pem", "--json")
    assert ran.code == 3
    assert ran.error["code"] == "key-refused"


def test_rotation_replaces_the_key_at_once(run, signed):
    ran = run("key", "rotate", "signing", "--json")
    assert ran.code == 0
    assert (ran.json["new"], ran.json["version"]) == ("signing-2", 2)
    ran = run("verify", signed, "--json")
    assert ran.code == 3
    assert ran.error["code"] == "signature"
    assert run("policy", "sign", "compiled.json", "--key", "signing-2", "--out", "again.json").code == 0
    assert run("verify", "again.json").code == 0
    assert run("key", "rotate", "signing-2", "--json").json["new"] == "signing-3"


def test_rotation_with_an_overlap_keeps_the_old_key(run, signed):
    assert run("key", "rotate", "signing", "--to", "next", "--overlap", "7d").code == 0
    assert run("verify", signed).code == 0
    late = run("verify", signed, "--at", "2099-01-01T00:00:00Z", "--json")
    assert late.code == 3


def test_rotation_of_the_root_key(run, signed):
    assert run("key", "rotate", "acme-root").code == 0
    assert run("verify", signed).code == 0
    assert run("key", "rotate", "signing").code == 0


@pytest.mark.parametrize(
    ("args", "code", "what"),
    [
        (["acme-root-2", "--org", "acme"], 2, "no key acme-root-2"),
        (["other"], 3, "does not trust this key"),
        (["signing", "--org", "nobody"], 3, "no root of nobody"),
    ],
)
@pytest.mark.usefixtures("signed")
def test_rotation_that_cannot_be(run, base, args, code, what):
    run("key", "new", "other")
    before = sorted(p.name for p in base.rglob("*"))
    ran = run("key", "rotate", *args)
    assert ran.code == code
    assert what in ran.err
    assert sorted(p.name for p in base.rglob("*")) == before


def test_rotation_without_the_root_key_writes_nothing(run, signed, base):
    (base / "keys" / "acme-root.pem").rename(base / "offline.pem")
    before = sorted(p.name for p in base.rglob("*"))
    ran = run("key", "rotate", "signing", "--json")
    assert ran.code == 3
    assert "bring acme-root.pem back" in ran.error["remedy"]
    assert sorted(p.name for p in base.rglob("*")) == before


def test_a_chain_that_was_tampered_with_is_refused(run, signed, base):
    run("key", "rotate", "signing", "--overlap", "7d")
    chain = base / "roots" / "acme"
    (chain / "3.root.json").write_bytes((chain / "1.root.json").read_bytes())
    ran = run("verify", signed, "--json")
    assert ran.code == 3
    assert ran.error["code"] == "rollback"
    assert ran.error["file"].endswith("3.root.json")
