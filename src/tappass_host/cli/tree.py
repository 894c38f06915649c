"""The command tree: verbs stand in tables, and are imported only when they run.

Every verb has `--json`, `--debug`, `-h` and examples. Its callback takes an `Out` first, and returns an exit
code, or nothing for 0.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

import click

from tappass_host.cli.output import Out

_COMMON: Final = ("as_json", "debug")
# Columns of an example, with its indent and a backslash within 80.
_EXAMPLE: Final = 74
_FILES: Final = re.compile(r"FILE|FOLDER|^(OLD|NEW)$")
HELP_NAMES: Final = ["-h", "--help"]


class Entry(NamedTuple):
    """One verb of a table: where its command is (`module:attribute`), what it does, under which heading."""

    where: str
    summary: str
    section: str = "Commands"


Table = Mapping[str, Entry]


def _write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                for line in folded(example):
                    formatter.write(f"  {line}\n")


def folded(example: str) -> list[str]:
    """A command line in lines of a terminal, broken before options so that it can still be pasted."""
    lines = [""]
    for part in re.split(r" (?=--|\| )", example):
        if lines[-1] and len(lines[-1]) + len(part) > _EXAMPLE:
            lines[-1] += " \\"
            lines.append(f"    {part}")
        else:
            lines[-1] = f"{lines[-1]} {part}".strip() if len(lines) == 1 else f"{lines[-1]} {part}"
    return lines


class Verb(click.Command):
    """A command that does something."""

    def __init__(self, *args: Any, examples: Sequence[str], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples = tuple(examples)
        for param in self.params:
            # The shell completes file names for whatever is called a file.
            if _FILES.search(param.metavar or "") and param.type is click.STRING:
                param.type = click.Path(allow_dash=True)
        self.params += [
            click.Option(["--json", "as_json"], is_flag=True, help="Print the answer as one JSON document."),
            click.Option(["--debug"], is_flag=True, help="Show the traceback of an internal error."),
        ]

    def invoke(self, ctx: click.Context) -> int:
        """Call the callback with an `Out`; its value is the exit code."""
        assert self.callback is not None
        common = {name: ctx.params.pop(name) for name in _COMMON}
        out = Out(as_json=common["as_json"])
        code: int | None = ctx.invoke(self.callback, out, **ctx.params)
        return code or 0

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples come last, where the eye ends up."""
        super().format_epilog(ctx, formatter)
        _write_examples(formatter, self.examples)


def verb(name: str, *examples: str, **settings: Any) -> Callable[[Callable[..., int | None]], Verb]:
    """Declare a verb. `examples` are whole command lines."""
    return click.command(name, cls=Verb, examples=examples, **settings)


class Verbs(click.Group):
    """A group of verbs; listing them imports none of them."""

    def __init__(self, name: str, table: Table, *, help: str, examples: Sequence[str] = ()) -> None:  # noqa: A002
        super().__init__(name, help=help, no_args_is_help=False)
        self.table = table
        self.examples = tuple(examples)
        self.subcommand_metavar = "VERB ..."

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  the signature of click
        """Names in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one verb."""
        entry = self.table.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.where.partition(":")
        command = getattr(import_module(f"tappass_host.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that was asked for, or say which one was probably meant."""
        if args[0] not in self.table and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"no verb {args[0]!r}{self._meant(args[0])}", ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without a verb, help is the answer; it is still a usage error, so that scripts notice."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the verbs under their headings."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, entry in self.table.items():
            sections.setdefault(entry.section, []).append((name, entry.summary))
        column = max(len(name) for name in self.table)
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(column), summary) for name, summary in rows])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples come last."""
        super().format_epilog(ctx, formatter)
        _write_examples(formatter, self.examples)

    def _meant(self, name: str) -> str:
        from difflib import get_close_matches

        near = get_close_matches(name, list(self.table), n=1, cutoff=0.5)
        return f"; did you mean {near[0]!r}?" if near else f"; there is {', '.join(self.table)}"
