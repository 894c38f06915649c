"""The kit against itself: an honest provider passes, and each lie is caught by the check that is meant for it.

The honest one is `toy/`; a lie is a change to its source.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tappass_host.policy.errors import TappassError
from tappass_host.sdk.kit import conformance
from tappass_host.sdk.kit.injection import GROUPS
from tappass_host.sdk.kit.reference import REFERENCE

TOY = Path(__file__).parent / "toy"
PROVIDER = (TOY / "provider.py").read_text()
READER = (TOY / "reader.py").read_text()

# A pattern is expanded to what exists, and nothing above what it found can be moved.
CEILING = {"looser": 0, "stricter": 6}

# Each lie: what is changed in which module, and the check that must catch it.
LIES = {
    "drops a deny": (
        "provider",
        (
            "b.lower(items, at=PLACE)",
            "b.lower(items[:-1], at=PLACE)",
        ),
        "test_claims",
    ),
    "emits a deny as a grant": (
        "provider",
        ('"deny": "/deny"', '"deny": "/read"'),
        "test_permits_what_the_policy_does",
    ),
    "claims without emitting": (
        "provider",
        (
            "doc.add(KEYS[item.value.access], str(item.value.path), by=item)",
            'doc.credit(f"rules#/deny[{item.value.path}]", by=item)',
        ),
        "test_claims",
    ),
    "credits what it does not emit": (
        "provider",
        (
            'elif item.op in ("grant", "narrow", "deny", "pin"):',
            'elif item.op == "deny":\n        doc.credit("rules#/format", by=item)\n    elif item.op in ("grant", "narrow", "pin"):',
        ),
        "test_permits_what_the_policy_does",
    ),
    "ignores the default": (
        "provider",
        ('doc.set("/default", item.value, by=item)', 'doc.set("/default", "read_only", by=item)'),
        "test_permits_what_the_policy_does",
    ),
    "writes rules of its own": (
        "provider",
        (
            "    return b.build()",
            '    doc.set("/read", ["/etc"], by="handy") if policy.doc.filesystem is None else doc.add("/read", "/etc", by="handy")\n    return b.build()',
        ),
        "test_permits_what_the_policy_does",
    ),
    "adds an entry for nothing": (
        "provider",
        (
            "    return b.build()",
            "    config = b.build()\n    config.artifacts[0].doc['deny'] = [*config.artifacts[0].doc.get('deny', []), '/opt/x']\n    return config",
        ),
        "test_documents",
    ),
    "is nondeterministic": (
        "provider",
        (
            "    return b.build()",
            '    for word in {"a", "b", "c", "d", "e"}:\n        doc.add("/deny", f"/nowhere/{word}", by="noise")\n    return b.build()',
        ),
        "test_same_bytes_in_another_process",
    ),
    "remembers the last call": (
        "provider",
        (
            "    return b.build()",
            '    SEEN.append(1)\n    doc.add("/deny", f"/nowhere/{len(SEEN)}", by="noise")\n    return b.build()\n\nSEEN = []',
        ),
        "test_repeats",
    ),
    "imports a clock": ("provider", ("KEYS = {", "import time\nKEYS = {"), "test_pure_source"),
    "reads a file": (
        "provider",
        (
            "    b = Builder(INFO, policy, target)",
            '    open("/etc/hostname").close()\n    b = Builder(INFO, policy, target)',
        ),
        "test_same_bytes_in_another_process",
    ),
    "reads a file through another module": (
        "provider",
        (
            "    b = Builder(INFO, policy, target)",
            '    import tomllib\n    from importlib import resources\n    resources.files("tappass_host").joinpath("py.typed").exists()\n    b = Builder(INFO, policy, target)',
        ),
        "test_pure_source",
    ),
    "formats text into the file": (
        "provider",
        (
            "    return b.build()",
            '    for line in "".join(policy.doc.chain).splitlines():\n        doc.add("/deny", "/nowhere/" + line, by="x")\n    return b.build()',
        ),
        "test_text_stays_text",
    ),
    "raises on a policy": (
        "provider",
        (
            "    return b.build()",
            '    if policy.doc.mode == "observe":\n        raise ValueError("not supported")\n    return b.build()',
        ),
        "test_claims",
    ),
    "forgets what a change takes": (
        "provider",
        ('effects={"rules": "live"}', 'effects={"other": "live"}'),
        "test_documents",
    ),
    "covers what is not there": (
        "provider",
        ('covers={"filesystem": ("exec",)}', 'covers={"filesystem": ("exec", "llm")}'),
        "test_info",
    ),
    "has options without defaults": (
        "provider",
        (
            "INFO = ProviderInfo(",
            "from tappass_host.sdk.contract import Options\n\nclass Needy(Options, frozen=True, kw_only=True):\n    must: int\n\nINFO = ProviderInfo(\n    options=Needy,",
        ),
        "test_options",
    ),
    "has no evidence": (
        "provider",
        ('Evidence("https://toy.example/rules", "2026-11-01")', 'Evidence("", "")'),
        "test_claims",
    ),
    "shares its reader with the provider": (
        "reader",
        ("KEYS = {", "from toy.provider import INFO\nKEYS = {"),
        "test_pure_source",
    ),
    "has a reader that never rules": (
        "reader",
        ("        if not isinstance(action, File):\n", "        if True:\n"),
        "test_permits_what_the_policy_does",
    ),
    "has a reader that names entries there are none of": (
        "reader",
        ('f"rules#/deny[{rule}]")\n        if found', 'f"rules#/denied[{rule}]")\n        if found'),
        "test_permits_what_the_policy_does",
    ),
    "has a reader that loses denies": (
        "reader",
        ('if key == "deny":', "if False:"),
        "test_permits_what_the_policy_does",
    ),
}


def make(package, lie=None):
    sources = {"provider": PROVIDER, "reader": READER}
    if lie is not None:
        module, (old, new), _ = LIES[lie]
        assert sources[module].count(old) >= 1
        sources[module] = sources[module].replace(old, new)
    package("toy", **sources)
    return conformance("toy.provider", "toy.reader", examples=8, **CEILING)


def outcome(cls, check):
    """Whether a check of the class fails, for any of its parameters."""
    arguments = {"test_text_stays_text": [(g,) for g in GROUPS]}.get(check, [()])
    if any(mark.name == "parametrize" and mark.args[0] == "name" for mark in _marks(cls, check)):
        arguments = [(name,) for name in REFERENCE]
    for values in arguments:
        try:
            getattr(cls(), check)(*values)
        except (AssertionError, TappassError, ValueError) as error:
            return f"{check}{values}: {error}"
    return ""


def _marks(cls, check):
    return getattr(getattr(cls, check), "pytestmark", [])


CHECKS = [name for name in dir(conformance("toy.provider", "toy.reader")) if name.startswith("test_")]


@pytest.mark.parametrize("check", CHECKS)
def test_an_honest_provider_passes(package, check):
    assert outcome(make(package), check) == ""


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_caught(package, lie):
    check = LIES[lie][2]
    assert outcome(make(package, lie), check) != ""


def test_every_check_catches_something():
    caught = {check for _, _, check in LIES.values()}
    generated = {
        "test_generated_policies",
        "test_generated_monotone",
        "test_monotone",
        "test_renders_before_anything_is_known",
    }
    assert caught | generated | {"test_excuses_stay_below_the_ceiling"} == set(CHECKS)


GENERATED = {
    "test_generated_policies": "emits a deny as a grant",
    "test_renders_before_anything_is_known": "ignores the default",
}


@pytest.mark.parametrize("check", GENERATED)
def test_generated_policies_catch_it_too(package, check):
    assert outcome(make(package, GENERATED[check]), check) != ""


def test_a_provider_that_loosens_when_a_deny_is_added(package):
    source = PROVIDER.replace(
        "def emit(doc, item):",
        'def emit(doc, item):\n    if item.op == "deny" and len(doc._root.get("deny", ())) == 5:\n        doc.add("/read", "/opt", by="loosens")',
    )
    package("toy_loose", provider=source, reader=READER)
    cls = conformance("toy_loose.provider", "toy_loose.reader")
    assert "deny before, allow after" in outcome(cls, "test_monotone")


def test_the_ceiling_holds(package):
    make(package)
    cls = conformance("toy.provider", "toy.reader", stricter=1)
    assert "stricter, declared at most 1" in outcome(cls, "test_excuses_stay_below_the_ceiling")


def test_the_option_runs_the_kit(package, tmp_path):
    make(package)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    settings = (
        "from tappass_host.sdk.kit.subject import Settings\nSETTINGS = Settings(stricter=6, examples=2)\n"
    )
    (tmp_path / "toy" / "conformance.py").write_text(settings)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--tappass-provider",
            "toy",
            "-k",
            "info or options or ceiling",
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_is_light():
    code = """
import sys
import pytest
before = set(sys.modules)
import tappass_host.sdk.kit.plugin
print(sorted(m for m in set(sys.modules) - before))
"""
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert (
        loaded
        == "['tappass_host', 'tappass_host.sdk', 'tappass_host.sdk.kit', 'tappass_host.sdk.kit.plugin']\n"
    )
