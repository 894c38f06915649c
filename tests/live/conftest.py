"""What the live tests share: the real target, or a skip that says what is missing."""

import json

import pytest

from tappass_host.prove.drivers.claude_code import drive
from tappass_host.prove.llm import ToolCall
from tappass_host.prove.targets import Catalogue, Missing

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
