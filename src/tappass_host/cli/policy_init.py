"""`tappass policy init`: files to begin with."""

from collections.abc import Sequence
from pathlib import Path

import click

from tappass_host.cli.files import write_many
from tappass_host.cli.output import Out
from tappass_host.cli.tree import verb
from tappass_host.policy.authored import PRESETS


@verb(
    "init",
    "tappass policy init --preset standard --for claude-code,bubblewrap,monty",
    "tappass policy init policies/ --preset worker --org acme --project checkout --agent coder",
)
@click.argument("folder", default=".", metavar="[FOLDER]")
@click.option(
    "--preset", type=click.Choice(PRESETS), default="standard", show_default=True, help="Where to start."
)
@click.option(
    "--for", "targets", metavar="IDS", help="Providers of the Runtime, by id: claude-code,bubblewrap,monty."
)
@click.option("--org", default="acme", show_default=True, metavar="NAME", help="Your organisation.")
@click.option("--project", metavar="NAME", help="Also write a project level.")
@click.option("--agent", metavar="NAME", help="Also write an agent level.")
@click.option("--copy", is_flag=True, help="Write the preset out in full, instead of extending it.")
def init(
    out: Out,
    *,
    folder: str,
    preset: str,
    targets: str | None,
    org: str,
    project: str | None,
    agent: str | None,
    copy: bool,
) -> None:
    """Start a policy from a preset.

    Writes org.yaml, the levels that you name, sandbox.yaml, and with --for a Runtime. Presets, strictest
    first: observer (reads the workspace), worker (edits it, runs a few commands, no network), standard (asks
    for the rest), full (everything but what is named).
    """
    files = {"org.yaml": _copied(preset, org) if copy else _extending("org", org, preset)}
    for level, name in (("project", project), ("agent", agent)):
        if name:
            files[f"{level}.yaml"] = _narrowing(level, name)
    levels = list(files)
    if targets:
        files["runtime.yaml"] = _runtime(targets)
    files["sandbox.yaml"] = _sandbox(levels, "runtime.yaml" in files, agent or project or org)
    write_many(Path(folder), files)

    def text() -> None:
        for name in files:
            out.status("written", str(Path(folder) / name))
        out.note(f"Next: tappass policy compile {Path(folder) / 'sandbox.yaml'} --out compiled.json")

    out.result(lambda: {"preset": preset, "files": [str(Path(folder) / name) for name in files]}, text)


def _extending(level: str, name: str, preset: str) -> bytes:
    return f"""\
# What everybody at {name} may do. `tappass policy show` lists what the preset says.
level: {level}
id: {name}
extends: {preset}

# Say here what differs from the preset, for example:
# network:
#   allow_domains: [docs.example.com:443]
# tools:
#   deny:
#     - rule: Bash(npm publish *)
#       reason: releases are made by the pipeline
#       controls: [SOC2:CC8.1]
""".encode()


def _copied(preset: str, name: str) -> bytes:
    from tappass_host.policy.presets import preset_text

    return preset_text(preset).replace(f"id: {preset}\n".encode(), f"id: {name}\n".encode(), 1)


def _narrowing(level: str, name: str) -> bytes:
    return f"""\
# A level below may only narrow: what it says more loosely is refused, with rule, level and line.
level: {level}
id: {name}

# For example:
# network:
#   allow_domains: []        # none of those that the level above allows
# filesystem:
#   deny_paths: ["${{workspace}}/secrets"]
""".encode()


def _sandbox(levels: Sequence[str], runtime: bool, name: str) -> bytes:
    lines = [
        "# What is compiled, for whom, and on which Runtimes.",
        f"policies: [{', '.join(levels)}]",
        *(["runtimes: [runtime.yaml]"] if runtime else []),
        f"audience: {{sandbox_id: {name}}}",
        "expires_in: 90d",
    ]
    return "\n".join(lines).encode() + b"\n"


def _runtime(targets: str) -> bytes:
    from tappass_host.cli.recipes import recipe_of, recipe_yaml

    return recipe_yaml(recipe_of(targets))
