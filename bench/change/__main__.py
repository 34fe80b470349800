"""`make bench-change`: what one change of a list costs, by the size of the list.

A stand-in GitHub, a Redis, a refresher and a node of four reader processes run with this code and,
in the same run, with that of before lists were stored in segments (from git; without it the run
goes on, with a message). Signed webhooks name the repository that has changed. Meanwhile the node
serves small hits at a steady rate.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from bench.change import plot
from bench.change.before import REVISION, checkout_of
from bench.change.figures import QUICK, Plan, Results
from bench.change.measure import measure
from bench.change.report import BEFORE, NOW, tables, to_json
from bench.cores import Cores
from bench.errors import BenchError
from bench.interrupts import raise_on_signals
from bench.load_process import CHECKOUT
from bench.pages import put_into
from bench.throughput import describe, warn_if_busy

DOCS = CHECKOUT / "docs"


def main() -> int:
    """Measure, print, write; the exit status is 1 if something cannot be measured."""
    parser = argparse.ArgumentParser(
        prog="bench-change",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="nine minutes, to try it out")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of repositories")
    parser.add_argument(
        "--before", default=REVISION, metavar="REVISION",
        help="the code to compare with; empty for no comparison (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--write", type=Path, metavar="FOLDER",
        help="where change.json, change.png and change.md go; docs/ without other options",
    )  # fmt: skip
    options = parser.parse_args()
    plan = QUICK if options.quick else Plan()
    plan = replace(plan, sizes=options.sizes or plan.sizes)
    raise_on_signals()
    try:
        cores = Cores.share_out()
        os.sched_setaffinity(0, cores.others)
        print(describe({}), flush=True)
        warn_if_busy()
        with checkout_of(options.before) as before:
            checkouts = {NOW: CHECKOUT} | ({} if before is None else {BEFORE: before})
            results = measure(plan, checkouts, cores)
    except (BenchError, AssertionError) as error:  # the latter: a time-out
        print(f"make bench-change: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\n{tables(results, plan)}")
    is_full = plan == Plan() and options.before == REVISION
    write = options.write or (DOCS if is_full else None)
    if write is not None:
        _write(results, plan, write)
    return 0


def _write(results: Results, plan: Plan, folder: Path) -> None:
    (folder / "change.json").write_text(to_json(results))
    plot.draw(results, folder / "change.png")
    page = folder / "change.md"
    if page.exists():
        figures = tables(results, plan)
        page.write_text(put_into(page.read_text(), figures, command="make bench-change"))


if __name__ == "__main__":
    sys.exit(main())
