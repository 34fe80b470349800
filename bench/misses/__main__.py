"""`make bench-miss`: what a request for content that is not held costs.

This cache with the processes of `make run`, nginx's proxy_cache and Varnish stand before the same
stand-in GitHub, which takes 200 ms for each response. The limit is the stand-in itself, requested
directly on as many connections as on-demand content may use. All are measured in turn, and the
ratios within a round are what counts.

Raised for the measurement: the points a minute (`ORIGIN_POINTS_PER_MINUTE`) and the misses that one
client address may wait for (`CLIENT_MAX_WAITING`). nginx and Varnish are installed if possible
(Debian, as root); without one of them the run goes on, with a message.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from bench.errors import BenchError
from bench.interrupts import raise_on_signals
from bench.load_process import CHECKOUT
from bench.misses import plot
from bench.misses.measure import QUICK, Plan, Results, measure
from bench.misses.report import tables, to_json
from bench.pages import put_into
from bench.programs import find_or_install
from bench.throughput import describe, warn_if_busy

DOCS = CHECKOUT / "docs"
_PROGRAMS = ("nginx", "varnishd")


def main() -> int:
    """Measure, print, write; the exit status is 1 if something cannot be measured."""
    parser = argparse.ArgumentParser(
        prog="bench-miss", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="about two minutes, to try it out")
    parser.add_argument("--rounds", type=int, help="of all scenarios, at most")
    parser.add_argument(
        "--addresses", type=int, default=1, metavar="N",
        help="how many addresses the clients have, from 127.0.0.1 on (1..250)",
    )  # fmt: skip
    parser.add_argument(
        "--write", type=Path, metavar="FOLDER",
        help="where misses.json, misses.png and misses.md go; docs/ without other options",
    )  # fmt: skip
    parser.add_argument("--no-install", action="store_true", help="use installed programs only")
    options = parser.parse_args()
    plan = QUICK if options.quick else Plan()
    plan = replace(plan, addresses=options.addresses, rounds=options.rounds or plan.rounds)
    raise_on_signals()
    try:
        programs = find_or_install(_PROGRAMS, may_install=not options.no_install)
        print(describe(programs), flush=True)
        warn_if_busy()
        results = measure(plan, programs)
    except (BenchError, AssertionError) as error:  # the latter: a time-out
        print(f"make bench-miss: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\n{tables(results)}")
    write = options.write or (DOCS if plan == Plan() else None)
    if write is not None:
        _write(results, write)
    return 0


def _write(results: Results, folder: Path) -> None:
    (folder / "misses.json").write_text(to_json(results))
    plot.draw(results.samples, folder / "misses.png")
    page = folder / "misses.md"
    if page.exists():
        page.write_text(put_into(page.read_text(), tables(results), command="make bench-miss"))


if __name__ == "__main__":
    sys.exit(main())
