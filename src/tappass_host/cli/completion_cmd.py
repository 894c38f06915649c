"""`tappass completion`: the script that a shell loads."""

import click

from tappass_host.cli.output import Out
from tappass_host.cli.tree import verb

_HINT = {
    "bash": "# ~/.bashrc:  source <(tappass completion bash)",
    "zsh": "# ~/.zshrc:  source <(tappass completion zsh)",
    "fish": "# ~/.config/fish/completions/tappass.fish:  tappass completion fish | source",
}


@verb("completion", "source <(tappass completion bash)", "tappass completion fish | source")
@click.argument("shell", type=click.Choice(list(_HINT)))
def completion(out: Out, *, shell: str) -> None:
    """Print the completion script of your shell.

    Load it from the file that your shell reads at start; the first line of the script says which.
    """
    from click.shell_completion import get_completion_class

    from tappass_host.cli.root import build

    found = get_completion_class(shell)
    assert found is not None
    script = found(build(), {}, "tappass", "_TAPPASS_COMPLETE").source()
    out.result(
        lambda: {"shell": shell, "script": script}, lambda: out.raw(f"{_HINT[shell]}\n{script}".encode())
    )
