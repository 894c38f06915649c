"""`python -m tappass_host.runners --manifest FILE [--input JSON] < code`: run code, print one JSON object."""

import argparse
import sys

import msgspec

from tappass_host.policy.errors import SchemaError, TappassError, WireError
from tappass_host.runners.launch import MAX_CODE, run
from tappass_host.runners.result import PolicyUsed, Result, TargetUsed, refusal


def main(argv: list[str] | None = None) -> int:
    """Run the code on standard input. Returns the exit code of `Result.exit_code`."""
    parser = argparse.ArgumentParser(prog="python -m tappass_host.runners", description=__doc__)
    parser.add_argument("--manifest", required=True, help="interpreter manifest (JSON)")
    parser.add_argument("--input", default="null", help="JSON value the code finds as `input`")
    parser.add_argument("--active", action="append", metavar="DIGEST", help="digest of an active manifest")
    options = parser.parse_args(argv)
    try:
        result = _run(options)
    except TappassError as error:
        result = refusal(error, policy=PolicyUsed(), target=TargetUsed())
    sys.stdout.buffer.write(result.to_json() + b"\n")
    return result.exit_code


def _run(options: argparse.Namespace) -> Result:
    try:
        value = msgspec.json.decode(options.input)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireError(f"not JSON: {error}", source="--input") from None
    try:
        code = sys.stdin.buffer.read(MAX_CODE + 1).decode("utf-8")
    except UnicodeDecodeError as error:
        raise SchemaError(f"not UTF-8: {error.reason}", source="<stdin>") from None
    return run(options.manifest, code, input=value, active_digests=options.active)


if __name__ == "__main__":
    raise SystemExit(main())
