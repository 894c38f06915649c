"""What the live tests share: the real target, or a skip that says what is missing."""

import json
from pathlib import Path

import pytest

import tappass_host.dataplane
from tappass_host import registry
from tappass_host.compiler.recipe import Recipe, Use, normal
from tappass_host.prove.drivers.claude_code import drive
from tappass_host.prove.lab import Command, Lab
from tappass_host.prove.llm import ToolCall
from tappass_host.prove.run import Ground, compile_ground
from tappass_host.prove.stage import Stage
from tappass_host.prove.targets import Catalogue, Missing
from tappass_host.prove.world import World
from tappass_host.sdk.kit.reference import policy

# The argument that a call of each tool takes from the rest of its line.
ARGUMENT = {"Read": "file_path", "Write": "file_path", "WebFetch": "url"}
MORE = {
    "Write": {"content": "x"},
    "WebFetch": {"prompt": "p"},
    "Bash": {"description": "d"},
    "Agent": {"description": "d", "prompt": "p"},
    "Monitor": {"description": "d", "timeout_ms": 1000, "persistent": False},
}


def call(line):
    """`Bash ls -l` as a tool call."""
    name, _, rest = line.partition(" ")
    key = {"Agent": "subagent_type", "Monitor": "command"}.get(name, ARGUMENT.get(name, "command"))
    return ToolCall(name, {key: rest, **MORE.get(name, {})} if rest else {})


@pytest.fixture(scope="session")
def located():
    """Locate a target, or skip."""
    catalogue = Catalogue.load()

    def locate(*ids):
        found = [catalogue.locate(target_id) for target_id in ids]
        for target in found:
            if isinstance(target, Missing):
                pytest.skip(f"{target.id}: {target.reason}; {target.remedy}")
        return found[0]

    return locate


class Claude:
    """A small world, and the program in it."""

    def __init__(self, binary, root):
        self.binary, self.root = binary, root
        self.workspace, self.home, self.outside = root / "ws", root / "home", root / "out"
        for folder in (self.workspace / "secret", self.workspace / "sub", self.home, self.outside):
            folder.mkdir(parents=True)
        (self.workspace / "a").write_text("alpha")
        (self.workspace / "secret/k").write_text("TOPSECRET")
        (self.outside / "o").write_text("OUTER")

    def fill(self, value):
        """Put the world's paths into a policy or a line."""
        text = json.dumps(value).replace("@ws", str(self.workspace)).replace("@out", str(self.outside))
        return json.loads(text)

    def run(self, settings, lines, *, files=None, **options):
        """Drive the lines under managed settings (None: no policy)."""
        managed = (
            {} if settings is None else {"managed-settings.json": json.dumps(self.fill(settings)).encode()}
        )
        script = [line if isinstance(line, ToolCall) else call(self.fill(line)) for line in lines]
        managed |= files or {}
        return drive(self.binary, managed, script, home=self.home, workspace=self.workspace, **options)

    def verdicts(self, settings, lines, **options):
        """Each line with what became of it, as `kind` or `kind by`."""
        session = self.run(settings, lines, **options)
        assert session.loaded, session.done
        return {
            str(line): f"{v.kind} {v.by}".strip() for line, v in zip(lines, session.verdicts, strict=True)
        }


@pytest.fixture
def claude(located, tmp_path):
    return Claude(located("claude-code").path, tmp_path)


USES = {"kernel": "bubblewrap", "egress": "egress-proxy", "code": "monty"}
PYTHON = ("/usr/bin/python3", "-I", "-S", "-c")


class Bench:
    """A small Runtime, rendered for a small world and put on a stage; rendered anew for every launch."""

    def __init__(self, root):
        self.root, self.world, self.catalogue = root, World(root), Catalogue.load()
        for folder in (self.world.workspace, self.world.home, root / "run", root / "state"):
            folder.mkdir()
        bridge = Path(tappass_host.dataplane.__file__).with_name("bridge.py")
        (root / "run" / bridge.name).write_bytes(bridge.read_bytes())

    def stage(self, *uses, options=None, **fields):
        """What a policy becomes for some uses; `fields` are those of a policy."""
        chosen = tuple(Use(id=u, provider=USES[u], options=(options or {}).get(u, {})) for u in uses)
        recipe = normal(Recipe(name="bench", uses=chosen))
        found = {USES[u]: self.catalogue.locate(USES[u]) for u in uses if u != "egress"}
        ground = Ground(policy(**fields), self.world, found)
        plan = compile_ground(ground, recipe, {use.provider: registry.get(use.provider) for use in chosen})
        return Stage(plan, self.root / "plan", ground.programs)

    def inside(self, stage, code, *arguments, hosts=(), ports=(80,), extra=(), **changes):
        """Run Python code in the sandbox of a stage, with its services; gives what it printed, line by line."""
        command = stage.command("kernel", *PYTHON, code, *arguments, cwd=str(self.world.root))
        return self.run([*stage.services(), *extra, command._replace(**changes)], hosts=hosts, ports=ports)

    def bare(self, code, *arguments, env=None, hosts=(), ports=(80,), extra=()):
        """The same with nothing around it: the negative control."""
        command = Command(argv=(*PYTHON, code, *arguments), env=env or {}, cwd=str(self.world.root))
        return self.run([*extra, command], hosts=hosts, ports=ports)

    def run(self, commands, *, hosts=(), ports=(80,)):
        done = Lab(hosts=tuple(hosts), ports=tuple(ports)).run(commands)[-1]
        assert done.stdout, (done.rc, done.stderr)
        return done.stdout.splitlines()


@pytest.fixture
def bench(located, tmp_path):
    located("bubblewrap")
    return Bench(tmp_path)
