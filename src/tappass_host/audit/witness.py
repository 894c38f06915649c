"""Witnesses: where checkpoints go that the writer cannot take back."""

from collections.abc import Callable
from pathlib import Path

from tappass_host.audit.files import sync_folder, write_all
from tappass_host.audit.keys import Checkpoint, checkpoint_line


def folder_witness(folder: Path) -> Callable[[Checkpoint], None]:
    """Each checkpoint becomes a new file in a folder: a share, or a disk that only takes new files."""

    def keep(checkpoint: Checkpoint) -> None:
        name = f"{checkpoint.log}-{checkpoint.seq:012d}.json"
        if not (folder / name).exists():
            write_all(folder / name, checkpoint_line(checkpoint) + b"\n")
            sync_folder(folder)

    return keep
