"""`docs/cli.md` says what the command says."""

import subprocess
import sys
from pathlib import Path

from tappass_host.cli.errors import EXIT_CODES

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_reference_is_up_to_date():
    script = REPOSITORY / "scripts" / "generate_docs.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode in (0, 1), done.stderr
    assert "docs/cli.md" not in done.stdout


def test_the_reference_names_every_exit_code():
    text = (REPOSITORY / "docs" / "cli.md").read_text()
    assert all(f"| {code} | {what} |" in text for code, what in EXIT_CODES.items())
