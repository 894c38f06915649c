"""Entry point of `tappass-host`, the command of the machine: it puts signed policies in force."""

import sys


def main() -> int:
    """Run the command line and return the exit code."""
    from tappass_host.cli.host_verbs import EXAMPLES, HELP, VERBS
    from tappass_host.cli.root import Root
    from tappass_host.cli.tree import HELP_NAMES

    root = Root("tappass-host", VERBS, help=HELP, examples=EXAMPLES)
    root.context_settings = {"help_option_names": HELP_NAMES}
    try:
        root.main(sys.argv[1:], prog_name="tappass-host")
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 1


if __name__ == "__main__":
    raise SystemExit(main())
