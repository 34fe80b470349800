"""`python -m tests.simulation [--seed N] [--hours N] [--runs N] [--without GUARD]`."""

import argparse
import os
import sys
import time

from tests.simulation.faults import EPISODE_S, KINDS
from tests.simulation.guards import GUARDS
from tests.simulation.run import Options, Result, shrink, simulate


def main() -> int:
    """Run, and say how it ended; the status is 1 if a promise was broken."""
    arguments = _arguments()
    first = arguments.seed if arguments.seed is not None else int.from_bytes(os.urandom(3))
    status = 0
    for seed in range(first, first + arguments.runs):
        options = Options(
            str(seed),
            arguments.hours,
            frozenset(arguments.faults or KINDS),
            guards=frozenset(arguments.without),
            episode_s=arguments.episode,
            told=arguments.told,
            is_chosen=bool(arguments.faults),
        )
        began = time.process_time()
        result = simulate(options)
        seconds = time.process_time() - began
        _print(options, result, seconds)
        if result.broken is not None:
            status = 1
            if arguments.shrink:
                _shrunk(options, result)
            if not arguments.go_on:
                break
    return status


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="of the first run; chosen and printed if absent")
    parser.add_argument("--hours", type=float, default=1.0, help="virtual hours of a run")
    parser.add_argument(
        "--episode", type=float, default=EPISODE_S, help="seconds of faults before each calm"
    )
    parser.add_argument("--told", type=int, default=3, help="changes in each calm")
    parser.add_argument("--runs", type=int, default=1, help="with this seed and the next ones")
    parser.add_argument("--without", action="append", default=[], choices=list(GUARDS))
    parser.add_argument("--faults", action="append", choices=list(KINDS), help="only these kinds")
    parser.add_argument("--shrink", action="store_true", help="look for fewer faults that suffice")
    parser.add_argument("--go-on", action="store_true", help="with the next seed after a failure")
    return parser.parse_args()


def _print(options: Options, result: Result, seconds: float) -> None:
    hours = result.at / 3600
    if result.broken is not None:
        print("\n".join(result.trace))
        print(f"seed {options.seed}: BROKEN after {result.at:.1f} s: {result.broken}")
    print(
        f"seed {options.seed}: {hours:.2f} h, {result.events} events, {result.steps} Redis steps,"
        f" {result.checks} versions checked, digest {result.digest}; {seconds:.1f} s of CPU:"
        f" {result.events / seconds:.0f} events a second, {hours / seconds:.4f} h a CPU second",
        flush=True,
    )


def _shrunk(options: Options, result: Result) -> None:
    found, ended = shrink(options, result, lambda line: print(line, flush=True))
    print("\n".join(ended.trace))
    print("what happened:", ", ".join(f"{one.kind} at {one.at:.1f}" for _, one in ended.happened))
    print(f"kinds that are needed: {', '.join(sorted({one.kind for _, one in ended.happened}))}")
    print(f"BROKEN after {ended.at:.1f} s: {ended.broken} (seed {found.seed})")


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of strings have an order of their own
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
