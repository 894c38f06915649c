"""All measurements, as tables with ratios: `make bench`, or `python bench/run.py [--all]`.

CPU time, medians of several runs, everything that is compared measured in the same run. `--all` adds the
measurements of running services, which take a minute each and can be run by themselves.
"""

import argparse
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import measure

HERE = Path(__file__).parent
SERVICES = sorted(set(HERE.glob("bench_*.py")) - {HERE / "bench_lowering.py", HERE / "bench_process.py"})


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--all", action="store_true", help="running services too")
    chosen = parser.parse_args()
    from bench_lowering import lowering, serialising
    from bench_process import processes

    print(f"{datetime.now(UTC):%Y-%m-%d}  {measure.machine()}\n")
    for part in (lowering, serialising, processes):
        print(part(), flush=True)
    codes = [service(path) for path in SERVICES] if chosen.all else []
    return max(codes, default=0)


def service(path: Path) -> int:
    """One measurement that is a program of its own."""
    print(path.stem.removeprefix("bench_").replace("_", " "), flush=True)
    return subprocess.call([sys.executable, str(path)])


if __name__ == "__main__":
    sys.exit(main())
