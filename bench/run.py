"""All measurements, as tables with ratios: `make bench`, or `python bench/run.py [--all]`.

CPU time, medians of several runs, everything that is compared measured in the same run. `--all` adds the
egress proxy, which takes a minute.
"""

import argparse
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import measure


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--all", action="store_true", help="the egress proxy too")
    chosen = parser.parse_args()
    from bench_lowering import lowering, serialising
    from bench_process import processes

    print(f"{datetime.now(UTC):%Y-%m-%d}  {measure.machine()}\n")
    for part in (lowering, serialising, processes):
        print(part(), flush=True)
    if chosen.all:
        print("Egress proxy", flush=True)
        return subprocess.call([sys.executable, str(Path(__file__).with_name("bench_egress.py"))])
    return 0


if __name__ == "__main__":
    sys.exit(main())
