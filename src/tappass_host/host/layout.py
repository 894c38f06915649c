"""Where things lie on a host: the real folders behind logical roots, below `/` or a folder of its own."""

from pathlib import Path
from typing import NamedTuple


class Layout(NamedTuple):
    """A host's folders. `root` is `/` for the machine, any folder for a host without root's rights."""

    root: Path = Path("/")

    @property
    def state(self) -> Path:
        """Generations, originals, journal, objects."""
        return self.root / "var" / "lib" / "tappass"

    @property
    def run(self) -> Path:
        """Sockets and what services run from."""
        return self.root / "run" / "tappass"

    @property
    def etc(self) -> Path:
        """Managed configuration of targets."""
        return self.root / "etc"

    @property
    def rendered(self) -> Path:
        """Rendered files of the active generation that belong to no target's own folder."""
        return self.state / "rendered"

    def paths(self, *, home: str, workspace: str) -> dict[str, str]:
        """Logical root -> folder, as providers are told."""
        return {
            "etc": str(self.etc),
            "state": str(self.rendered),
            "run": str(self.run),
            "home": home,
            "workspace": workspace,
            "bridge": str(self.rendered / "bridge.py"),
        }
