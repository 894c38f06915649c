"""`tappass eval`: code under an interpreter's manifest."""

import click

from tappass_host.cli.files import name_of, read
from tappass_host.cli.output import Out
from tappass_host.cli.tree import verb
from tappass_host.policy.errors import SchemaError, WireError

_MAX_CODE = 1 << 20


@verb(
    "eval",
    "tappass eval --manifest out/state/monty.manifest.json script.py",
    "tappass eval --manifest monty.json --code 'sum(input)' --input '[1, 2, 3]'",
    "echo 'open(\"/etc/passwd\").read()' | tappass eval --manifest monty.json - --json",
)
@click.argument("file", required=False)
@click.option("--manifest", required=True, metavar="FILE", help="The rendered manifest of the interpreter.")
@click.option("--code", metavar="TEXT", help="The code itself, instead of FILE.")
@click.option(
    "--input", "value", default="null", metavar="JSON", help="A value that the code finds as `input`."
)
def evaluate(out: Out, *, file: str | None, manifest: str, code: str | None, value: str) -> int:
    """Run code in an interpreter, under its manifest.

    The manifest is what an interpreter's provider renders from a policy: limits, folders, imports, host
    functions, network. FILE is the code; - is standard input. The exit code is 0 whenever the code was judged
    or ran, whatever it did; look at the status.
    """
    from tappass_host.runners import run

    if (file is None) == (code is None):
        raise click.UsageError("name a file of code, or give --code", click.get_current_context())
    text = code if code is not None else _code(str(file))
    quiet = out.as_json
    result = run(read(manifest), text, input=_value(value), on_stdout=None if quiet else _echo)

    def show() -> None:
        out.status(result.status, result.error.message if result.error else _shown(result.result))
        for call in result.calls:
            out.line(f"  called {call.name}: {call.verdict}{f' ({call.reason})' if call.reason else ''}")
        policy = f", policy v{result.policy.version}" if result.policy.version else ""
        out.note(
            f"{result.target.id or 'no engine'} {result.target.version}, {result.usage.wall_ms} ms{policy}"
        )

    out.result(lambda: result, show)
    return result.exit_code


def _code(file: str) -> str:
    try:
        return read(file, max_bytes=_MAX_CODE).decode()
    except UnicodeDecodeError as error:
        raise SchemaError(f"not UTF-8: {error.reason}", source=name_of(file)) from None


def _value(text: str) -> object:
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        remedy = "a text needs quotes of its own: --input '\"hello\"'"
        raise WireError(f"not JSON: {error}", source="--input", remedy=remedy) from None


def _shown(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def _echo(text: str) -> None:
    click.echo(text, nl=False)
