"""`policy init`, `compile`, `schema`: from nothing to a Compiled Policy."""

import json

import pytest

from tappass_host.policy.authored import PRESETS


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("copy", [False, True], ids=["extends", "copy"])
def test_every_preset_compiles_as_it_is_written(run, preset, copy):
    args = ["policy", "init", "--preset", preset, "--org", "acme", *(["--copy"] if copy else [])]
    assert run(*args).code == 0
    ran = run("policy", "compile", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["org_id"] == "acme"
    assert ran.json["policy"]["tier"] == ("" if copy else preset)


def test_init_writes_levels_and_a_runtime(run, place):
    ran = run(
        "policy", "init", "p", "--for", "bubblewrap,monty", "--project", "web", "--agent", "coder", "--json"
    )
    assert ran.code == 0
    assert {f.removeprefix("p/") for f in ran.json["files"]} == {
        "org.yaml",
        "project.yaml",
        "agent.yaml",
        "runtime.yaml",
        "sandbox.yaml",
    }
    ran = run("policy", "compile", "p", "--json")
    assert (ran.json["project_id"], ran.json["agent_id"]) == ("web", "coder")
    assert list(ran.json["policy"]["runtimes"]) == ["bubblewrap-monty-egress-proxy"]
    assert ran.json["policy"]["audience"]["sandbox_id"] == "coder"


def test_init_replaces_nothing(run, place):
    (place / "org.yaml").write_text("mine")
    ran = run("policy", "init")
    assert ran.code == 2
    assert "org.yaml" in ran.err
    assert [p.name for p in place.iterdir()] == ["org.yaml"]


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["--preset", "strict"], "'strict' is not one of"),
        (["--for", "bubblewarp"], "no provider bubblewarp"),
        (["--for", "kernel=monty"], "monty is no kernel"),
    ],
)
def test_init_that_cannot_be(run, place, args, what):
    ran = run("policy", "init", *args)
    assert ran.code == 2
    assert what in ran.err
    assert list(place.iterdir()) == []


def test_compile_says_what_it_made(run, sources):
    ran = run("policy", "compile", "--out", "compiled.json")
    assert ran.code == 0
    assert ran.out.splitlines()[0].startswith("policy    acme/coder v1 from org+agent, ")
    document = json.loads((sources / "compiled.json").read_bytes())
    assert document["network"]["allow_domains"] == ["docs.example.com"]
    assert document["provenance"]["network.allow_domains[docs.example.com]"]["level"] == "agent"
    assert "mcp" not in document


def test_compile_to_standard_output(run, sources):
    ran = run("policy", "compile", "org.yaml", "agent.yaml")
    assert ran.code == 0
    assert json.loads(ran.out)["org_id"] == "acme"


def test_the_same_input_gives_the_same_bytes(process, sources):
    first, second = (process("policy", "compile", SOURCE_DATE_EPOCH="1800000000").out for _ in range(2))
    assert first == second
    assert json.loads(first)["issued_at"] == "2027-01-15T08:00:00Z"


def test_the_order_of_files_does_not_matter(process, sources):
    runs = [
        process("policy", "compile", *files, SOURCE_DATE_EPOCH="1800000000").out
        for files in (("org.yaml", "agent.yaml"), ("agent.yaml", "org.yaml"))
    ]
    assert runs[0] == runs[1]


def test_an_unchanged_policy_keeps_its_bytes_and_version(run, compiled, sources):
    before = (sources / compiled).read_bytes()
    ran = run("policy", "compile", "--out", compiled, "--json")
    assert (ran.json["unchanged"], ran.json["version"]) == (True, 1)
    assert (sources / compiled).read_bytes() == before


def test_a_changed_policy_gets_the_next_version(run, compiled, sources):
    agent = sources / "agent.yaml"
    agent.write_text(agent.read_text().replace("docs.", "wiki."))
    ran = run("policy", "compile", "--out", compiled, "--json")
    assert (ran.json["unchanged"], ran.json["version"]) == (False, 2)
    ran = run("policy", "compile", "--out", compiled, "--policy-version", "7", "--json")
    assert ran.json["version"] == 7


def test_times_and_runtimes_come_from_options(run, sources, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    ran = run(
        "policy",
        "compile",
        "org.yaml",
        "--runtime",
        "box",
        "--expires-in",
        "30d",
        "--apply-by",
        "1h",
        "--json",
    )
    policy = ran.json["policy"]
    assert policy["expires_at"] == "2027-02-14T08:00:00Z"
    assert policy["apply_by"] == "2027-01-15T09:00:00Z"
    assert list(policy["runtimes"]) == ["box"]


def test_findings_are_notes_unless_they_count(run, sources):
    org = sources / "org.yaml"
    org.write_text(org.read_text().replace("Bash(git status)", "Bash(git *)"))
    ran = run("policy", "compile", "--out", "compiled.json")
    assert ran.code == 0
    assert "note      org.yaml:" in ran.err
    assert run("policy", "compile", "--out", "compiled.json", "--strict").code == 1
    found = run("policy", "compile", "--json").json["findings"]
    assert {"code", "message", "source", "remedy"} <= set(found[0])


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("agent.yaml", "level: agent\nid: coder\nfilesystem: {default: allow}\n", "may only be stricter"),
        ("agent.yaml", "level: agent\nid: x\nlevel: org\n", "agent.yaml:3:1"),
        ("agent.yaml", "level: [", "not YAML"),
        ("agent.yaml", "level: agent\nid: coder\nbudget: {tokens_per_day: 1.5}\n", "agent.yaml:3"),
        ("agent.yaml", "", "the file is empty"),
        ("org.yaml", "level: org\nid: acme\n", "says nothing about"),
        ("sandbox.yaml", "policies: []\n", "names no policy"),
        ("sandbox.yaml", "policies: [org.yaml]\nexpires_in: soon\n", "expires_in is 'soon'"),
        ("sandbox.yaml", "policies: [nowhere.yaml]\n", "nowhere.yaml"),
        ("sandbox.yaml", "policies: [org.yaml]\naudience: {host: x}\n", "sandbox.yaml:2"),
        ("box.yaml", "schema: tappass.runtime/v1\nname: box\nuses: []\n", "uses no provider"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(run, sources, name, text, what):
    (sources / name).write_text(text)
    ran = run("policy", "compile", "--out", "compiled.json")
    assert ran.code == 2
    assert what in ran.err
    assert not (sources / "compiled.json").exists()


def test_no_sandbox_file(run):
    ran = run("policy", "compile")
    assert ran.code == 2
    assert "tappass policy init" in ran.err


def test_the_schema_describes_what_compile_writes(run, compiled):
    import jsonschema

    schema = run("policy", "schema").json
    with open(compiled) as file:  # noqa: PTH123 - a name relative to the folder of the test
        document = json.load(file)
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "netwrk": {}}, schema)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"schema": "tappass.compiled-policy/v1"', "wire"),
        (b'{"a": 1, "a": 2}', "wire"),
        (b'{"version": 1.5}', "wire"),
        (b"[" * 100 + b"]" * 100, "wire"),
        (b"\xff\xfe", "wire"),
        (b"{}", "schema"),
        (b'{"payloadType": "x", "payload": "e30=", "signatures": []}', "envelope"),
        (b" " * (9 * 1024 * 1024), "file"),
    ],
    ids=["truncated", "duplicate", "float", "deep", "not-utf8", "empty", "envelope", "oversized"],
)
@pytest.mark.parametrize(
    "verb", [["policy", "show"], ["policy", "sign", "--key", "signing"], ["verify"]], ids=str
)
@pytest.mark.usefixtures("signed")
def test_bad_documents_are_refused_by_every_reader(run, sources, verb, data, code):
    (sources / "bad.json").write_bytes(data)
    ran = run(*verb, "bad.json", "--json")
    assert ran.code in (2, 3)
    assert ran.error["code"] in (code, "envelope", "signature")
    assert ran.error["file"] == "bad.json"
