"""The root of the command tree, and the one place where exceptions become exit codes."""

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from tappass_host import __version__
from tappass_host.cli.errors import EXIT_CODES, report
from tappass_host.cli.tree import HELP_NAMES, Verbs
from tappass_host.cli.verbs import ROOT_EXAMPLES, VERBS

# 128 + SIGINT and 128 + SIGPIPE, as a shell reports a process that such a signal ended.
_INTERRUPTED = 130
_PIPE_CLOSED = 141

_HELP = """Write one policy for your agents, sign it, and render it to native, enforced configuration
for every target of a Runtime, with an exact account of what is enforced and what is not."""


class Root(Verbs):
    """The command `tappass`."""

    def main(  # type: ignore[override]  # every way of running it ends the process
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        **_: Any,
    ) -> NoReturn:
        """Run it and exit; no exception leaves this place."""
        arguments = list(sys.argv[1:] if args is None else args)
        raise SystemExit(self._run(arguments, prog_name or "tappass", complete_var))

    def _run(self, args: list[str], prog_name: str, complete_var: str | None) -> int:
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False)
            sys.stdout.flush()
        except (KeyboardInterrupt, click.Abort):
            sys.stderr.write("interrupted\n")
            return _INTERRUPTED
        except BrokenPipeError:
            # Whoever read us has seen enough; the interpreter must not complain again while it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _PIPE_CLOSED
        except Exception as error:  # noqa: BLE001  the last place that can turn it into an exit code
            return report(error, args)
        return code if isinstance(code, int) else 0

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Exit codes belong to what every verb promises."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), what) for code, what in EXIT_CODES.items()])
        super().format_epilog(ctx, formatter)


def build() -> Root:
    """The command tree."""
    root = Root("tappass", VERBS, help=_HELP, examples=ROOT_EXAMPLES)
    root.context_settings = {"help_option_names": HELP_NAMES}
    click.version_option(__version__, message="tappass %(version)s")(root)
    return root


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        build().main(args)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 1
