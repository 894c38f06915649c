"""`runtime`, `render`, `coverage`, `explain`, `eval`: from a policy to what the targets do."""

import json
import os
from pathlib import Path

import pytest

from tappass_host.policy.errors import UnsatisfiableError

BOUND = ("--param", "workspace=/srv/ws", "--param", "home=/home/dev")


def args(policy, *more, facts="none"):
    return ["--policy", policy, "--runtime", "box", *BOUND, "--facts", facts, *more]


@pytest.fixture
def rendered(run, compiled):
    """`out/`, rendered for a host that `facts.json` describes."""
    kinds = {f"path_kind:{path}": "dir" for path in ("/usr", "/srv/ws", "/srv/other")}
    Path("facts.json").write_text(json.dumps(kinds))
    ran = run("render", *args(compiled, "--out", "out", "--allow-gaps", facts="facts.json"))
    assert ran.code == 0, ran.err
    return "out"


def test_runtime_create_show_list(run, place):
    line = "kernel=bubblewrap,interpreter=monty"
    ran = run("runtime", "create", "laptop", "--providers", line, "--json")
    assert ran.code == 0
    made = ran.json
    assert made["file"] == "laptop.runtime.yaml"
    uses = {use["id"]: use["inside"] for use in made["recipe"]["uses"]}
    assert uses["monty"] == "bubblewrap"
    assert run("runtime", "show", "laptop", "--json").json["digest"] == made["digest"]
    assert run("runtime", "show", "laptop.runtime.yaml", "--json").json["digest"] == made["digest"]
    assert [r["name"] for r in run("runtime", "list", "--json").json["runtimes"]] == ["laptop"]
    text = run("runtime", "show", "laptop").out
    assert text.index("bubblewrap") < text.index("  monty")


def test_runtime_is_not_replaced_unasked(run, place):
    line = ["--providers", "bubblewrap"]
    assert run("runtime", "create", "x", *line).code == 0
    ran = run("runtime", "create", "x", *line)
    assert ran.code == 2
    assert "exists already" in ran.err
    assert run("runtime", "create", "x", *line, "--force").code == 0


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("kernel=monty", "monty is no kernel"),
        ("kernel=", "no position=provider"),
        ("ring=bubblewrap", "no position=provider"),
        ("bubblewarp", "no provider bubblewarp"),
    ],
)
def test_runtime_that_cannot_be(run, place, line, what):
    ran = run("runtime", "create", "x", "--providers", line)
    assert ran.code == 2
    assert what in ran.err
    assert list(place.iterdir()) == []


def test_runtime_that_is_not_here(run, sources):
    ran = run("runtime", "show", "bx", "--json")
    assert ran.code == 2
    assert ran.error["remedy"] == "there is box"


def test_render_writes_files_by_root_and_path(run, compiled, place):
    ran = run("render", *args(compiled, "--out", "out", "--allow-gaps", "--json"))
    assert ran.code == 0
    there = sorted(p.relative_to(place / "out").as_posix() for p in (place / "out").rglob("*") if p.is_file())
    assert ran.json["files"] == there
    assert "plan.json" in there
    assert any(name.startswith("state/") for name in there)
    plan = json.loads((place / "out" / "plan.json").read_bytes())
    assert plan["digest"] == ran.json["digest"]
    assert plan["policy"]["digest"] == ran.json["policy"]["digest"]


def test_render_says_what_the_policy_was(run, compiled, signed):
    plain = run("render", *args(compiled, "--out", "a", "--allow-gaps"))
    assert "a Compiled Policy, not signed" in plain.out
    verified = run("render", *args(signed, "--out", "b", "--allow-gaps"))
    assert "an envelope, verified" in verified.out


def test_render_of_the_same_is_the_same(run, compiled, rendered, place):
    ran = run("render", *args(compiled, "--out", rendered, "--allow-gaps", "--diff", facts="facts.json"))
    assert ran.code == 0
    assert "up to date" in ran.out
    before = {p: p.read_bytes() for p in (place / rendered).rglob("*") if p.is_file()}
    assert run("render", *args(compiled, "--out", rendered, "--allow-gaps", facts="facts.json")).code == 0
    assert {p: p.read_bytes() for p in (place / rendered).rglob("*") if p.is_file()} == before


def test_render_diff_shows_lines_and_writes_nothing(run, compiled, rendered, place):
    before = {p: p.read_bytes() for p in (place / rendered).rglob("*") if p.is_file()}
    again = args(compiled, "--out", rendered, "--allow-gaps", facts="facts.json")
    more = [*again, "--param", "workspace=/srv/other"]
    ran = run("render", *more, "--diff")
    assert ran.code == 1
    assert "+++ state/" in ran.out
    assert "plan.json differs" in ran.out
    changed = run("render", *more, "--diff", "--json").json["changed"]
    assert "plan.json" in changed
    assert {p: p.read_bytes() for p in (place / rendered).rglob("*") if p.is_file()} == before


def test_render_does_not_name_any_value_of_a_secret(run, rendered, place):
    # Files that only their owner should read are written so.
    manifest = next((place / rendered).rglob("monty.manifest.json"))
    assert manifest.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("change", "code", "error"),
    [
        (["--runtime", "nowhere"], 2, "file"),
        (["--runtime", "harness=nothing"], 2, "provider"),
        (["--platform", "darwin"], 2, "recipe"),
        (["--target", "claude-code=1"], 2, "recipe"),
        (["--param", "workspace=../x"], 2, "bind"),
        (["--param", "unknown=x"], 2, "bind"),
        (["--facts", "missing.json"], 2, "file"),
        (["--policy", "missing.json"], 2, "file"),
        (["--lock", "missing.lock"], 2, "provider"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("verb", ["render", "coverage"])
def test_what_cannot_be_rendered_writes_nothing(run, compiled, place, verb, change, code, error):  # noqa: PLR0917
    out = ["--out", "out"] if verb == "render" else []
    ran = run(verb, *args(compiled, *out), *change, "--json")
    assert (ran.code, ran.error["code"]) == (code, error)
    assert not (place / "out").exists()


def test_gaps_that_the_runtime_refuses_write_nothing(run, compiled, place):
    (place / "box.yaml").write_text((place / "box.yaml").read_text() + "on_gap: {data: refuse}\n")
    org = (place / "org.yaml").read_text()
    (place / "org.yaml").write_text(org.replace("data: unmanaged", "data: {default: deny}"))
    assert run("policy", "compile", "--out", compiled).code == 0
    ran = run("render", *args(compiled, "--out", "out", facts="here"), "--json")
    assert ran.code == UnsatisfiableError.exit_code
    assert ran.error["code"] == "unsatisfiable"
    assert "data.default[deny]" in ran.error["message"]
    assert not (place / "out").exists()


@pytest.mark.parametrize("verb", ["render", "coverage", "explain"])
def test_an_envelope_is_verified_before_anything_else(run, signed, place, verb, monkeypatch):
    monkeypatch.setenv("TAPPASS_HOME", str(place.parent / "empty"))
    out = {"render": ["--out", "out"], "explain": ["network.default[deny]"]}.get(verb, [])
    ran = run(verb, *args(signed, *out), "--json")
    assert (ran.code, ran.error["code"]) == (3, "signature")
    assert not (place / "out").exists()


def test_an_envelope_for_another_runtime_is_refused(run, signed, place):
    (place / "box.yaml").write_text((place / "box.yaml").read_text() + "on_gap: {budget: warn}\n")
    ran = run("render", *args(signed, "--out", "out"), "--json")
    assert (ran.code, ran.error["code"]) == (3, "runtime-digest")


def test_the_runtime_that_the_policy_lists_is_found(run, compiled, place):
    more = ["--policy", compiled, *BOUND, "--facts", "none", "--allow-gaps"]
    assert run("render", *more, "--out", "out").code == 0
    (place / "box.yaml").unlink()
    ran = run("render", *more, "--out", "out", "--json")
    assert ran.code == 2
    assert "--runtime" in ran.error["remedy"]


def test_facts_from_a_file(run, compiled, place):
    (place / "facts.json").write_text(json.dumps({"path_kind:/usr": "dir", "path_kind:/srv/ws": "dir"}))
    ran = run("render", *args(compiled, "--out", "out", "--allow-gaps", facts="facts.json"), "--json")
    assert ran.code == 0
    assert all((asked["kind"], asked["arg"]) != ("path_kind", "/usr") for asked in ran.json["asked"])
    (place / "facts.json").write_text('{"x": 1.5}')
    assert run("coverage", *args(compiled, facts="facts.json")).code == 2


def test_parameters_from_the_sandbox_file_give_way_to_options(run, compiled, place):
    base = [
        "--policy",
        compiled,
        "--runtime",
        "box",
        "--facts",
        "none",
        "--allow-gaps",
        "--sandbox",
        "sandbox.yaml",
    ]
    run("render", *base, "--out", "a")
    run("render", *base, "--out", "b", "--param", "workspace=/srv/other")
    manifests = [next((place / name).rglob("monty.manifest.json")).read_text() for name in ("a", "b")]
    plans = [(place / name / "plan.json").read_text() for name in ("a", "b")]
    assert all("/srv/other" not in text for text in (manifests[0], plans[0]))
    assert "/srv/other" in plans[1]


def test_coverage_puts_gaps_first(run, compiled):
    ran = run("coverage", *args(compiled))
    assert ran.code == 0
    assert ran.out.startswith("acme/coder v1 on box\n")
    assert "unmanaged, so nothing is promised" in ran.out
    assert ran.out.index("OPEN:") < ran.out.index("PARTIAL:") if "PARTIAL:" in ran.out else "OPEN:" in ran.out
    document = run("coverage", *args(compiled), "--json").json
    assert document["open"]
    assert sum(document["counts"].values()) == len(document["statements"])
    ids = {row["id"] for row in document["statements"]}
    assert set(document["open"]) <= ids
    everything = run("coverage", *args(compiled), "--all").out
    assert all(ident in everything for ident in ids)


def test_coverage_as_a_check(run, compiled):
    assert run("coverage", *args(compiled), "--fail-on", "open").code == 1


def test_coverage_by_control(run, compiled):
    ran = run("coverage", *args(compiled), "--by-control")
    assert "SOC2:CC6.1: 1 statements, " in ran.out
    controls = run("coverage", *args(compiled), "--by-control", "--json").json["controls"]
    assert [row["id"] for row in controls["SOC2:CC6.1"]] == ["filesystem.deny_paths[/srv/ws/secret]"]


def test_coverage_suggests_what_closes_most(run, compiled):
    base = ["--policy", compiled, "--runtime", "interpreter=monty", *BOUND, "--facts", "none"]
    ran = run("coverage", *base, "--suggest", "--json")
    assert ran.code == 0
    before = set(ran.json["open"])
    for suggestion in ran.json["suggestions"]:
        assert set(suggestion["closes"]) <= before
    assert "SUGGESTED ADDITIONS" in run("coverage", *base, "--suggest").out


def test_explain_there_and_back(run, compiled):
    ran = run("explain", "filesystem.read_only[/usr]", *args(compiled, facts="here"), "--json")
    assert ran.code == 0
    (found,) = ran.json["statements"]
    assert found["provenance"] == {"level": "org", "source": "org.yaml:10:15"}
    line = next(line for line in found["lines"] if line["text"])
    back = run("explain", "--native", line["text"], *args(compiled, facts="here"), "--json")
    assert any("filesystem.read_only[/usr]" in each["statements"] for each in back.json["native"])
    text = run("explain", "filesystem.read_only[/usr]", *args(compiled, facts="here")).out
    assert "org org.yaml:10:15" in text
    assert line["text"] in text


def test_explain_part_of_an_id(run, compiled):
    ran = run("explain", "deny_paths", *args(compiled), "--json")
    assert "filesystem.deny_paths[/srv/ws/secret]" in [each["statement"] for each in ran.json["statements"]]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (["filesystem.read_only[/ur]"], "did you mean filesystem.read_only[/usr]"),
        (["--native", "no such line"], "no native line holds"),
        ([], "name a statement"),
        (["x", "--native", "y"], "name a statement"),
    ],
    ids=str,
)
def test_explain_what_is_not_there(run, compiled, what, message):
    ran = run("explain", *what, *args(compiled))
    assert ran.code == 2
    assert message in ran.err


def test_a_lock_beside_the_policy_holds(run, compiled, place):
    assert run("provider", "lock", "bubblewrap", "--org", "acme").code == 0
    ran = run("coverage", *args(compiled), "--json")
    assert ran.code == 2
    assert "monty is not in the lock of acme" in ran.error["message"]
    assert run("provider", "lock", "--org", "acme", "--runtime", "box").code == 0
    assert run("coverage", *args(compiled)).code == 0
    assert run("provider", "lock", "--org", "other").code == 0
    assert "lock of other, policy of acme" in run("coverage", *args(compiled)).err


CODE = ("--code", "sum(input)", "--input", "[1, 2, 3]")


@pytest.fixture
def manifest(run, sources, place):
    """The manifest of a policy that lets code compute, rendered for this machine."""
    org = place / "org.yaml"
    org.write_text(
        org.read_text().replace("interpreter: unmanaged", "interpreter: {default: deny, memory_mb: 64}")
    )
    ran = run("policy", "compile", "org.yaml", "--out", "code.json")
    assert ran.code == 0, ran.err
    ran = run(
        "render",
        *("--policy", "code.json", "--runtime", "interpreter=monty", *BOUND),
        *("--out", "code", "--allow-gaps"),
    )
    assert ran.code == 0, ran.err
    return str(next((place / "code").rglob("monty.manifest.json")))


def test_eval_runs_code(run, manifest, place):
    pytest.importorskip("pydantic_monty")
    ran = run("eval", "--manifest", manifest, *CODE)
    assert ran.code == 0, ran.err
    assert ran.out == "ok        6\n"
    (place / "x.py").write_text("print('hello')\n1 + 1")
    ran = run("eval", "x.py", "--manifest", manifest)
    assert ran.out == "hello\nok        2\n"
    result = run("eval", "--manifest", manifest, *CODE, "--json").json
    assert (result["status"], result["result"], result["policy"]["version"]) == ("ok", 6, 1)


def test_eval_shows_what_was_denied(run, manifest):
    pytest.importorskip("pydantic_monty")
    ran = run("eval", "--manifest", manifest, "-", input="open('/etc/passwd').read()")
    assert ran.code == 0
    assert ran.out.startswith(("denied", "error"))
    assert "root:" not in ran.out


@pytest.mark.parametrize(
    ("more", "code", "what"),
    [
        ([], 2, "name a file of code"),
        (["--code", "1", "x.py"], 2, "name a file of code"),
        (["--code", "1", "--input", "{"], 2, "not JSON"),
        (["missing.py"], 2, "no such file"),
    ],
    ids=str,
)
def test_eval_that_cannot_run(run, manifest, more, code, what):
    ran = run("eval", "--manifest", manifest, *more)
    assert ran.code == code
    assert what in ran.err


def test_eval_without_a_manifest(run, place):
    (place / "bad.json").write_text("{}")
    ran = run("eval", "--manifest", "bad.json", "--code", "1", "--json")
    assert ran.code == 2
    assert ran.json["status"] == "denied"
    assert run("eval", "--manifest", "missing.json", "--code", "1").code == 2


def test_nothing_of_this_machine_is_touched(run, compiled, place, tmp_path):
    before = sorted(os.listdir(tmp_path))  # noqa: PTH208
    run("render", *args(compiled, "--out", "out", "--allow-gaps"))
    run("coverage", *args(compiled))
    assert sorted(os.listdir(tmp_path)) == before  # noqa: PTH208
