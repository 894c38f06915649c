"""Entry point of `tappass`. It imports next to nothing: start-up time is a feature."""

import gc
import sys

# Objects made before the next look for garbage; Python's own is 700. Most verbs end before there is any, and
# looking for it takes a tenth of their time.
_GC_THRESHOLD = 100_000


def main() -> int:
    """Run the command line and return the exit code."""
    if sys.argv[1:] == ["--version"]:
        # The one answer that needs neither a parser nor anything of a policy.
        from tappass_host import __version__

        sys.stdout.write(f"tappass {__version__}\n")
        return 0
    gc.set_threshold(_GC_THRESHOLD)
    from tappass_host.cli.root import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    raise SystemExit(main())
