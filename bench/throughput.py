"""`make bench`: compares this cache with others: the same bodies, the same core, one run.

Each server has one core to itself, the load generator another. A run has several rounds; in each
round every server meets every workload in turn, so other work of the machine affects all servers
alike. The ratios within a round are what counts; absolute numbers are those of one machine on one
day. Four things are measured:

- throughput, with wrk: requests a second, and requests for a CPU second of the server; ours also
  under `/api/v3`, compared with itself;
- latency at fixed rates (`steady_load`);
- pauses while a list of 7,000 repositories is taken over (`pauses`);
- delay until every reader process serves a new version (`push_lag`).

nginx, Varnish and wrk are installed if possible (Debian, as root). Without nginx or Varnish the run
goes on, with a message.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import psutil

from bench import pauses, plot, push_lag, tables
from bench.cores import Cores
from bench.errors import BenchError
from bench.figures import Sample, percentile
from bench.interrupts import raise_on_signals
from bench.pauses import Pauses
from bench.programs import PACKAGES, find_or_install, version
from bench.push_lag import PushLag
from bench.results import Latency, Results
from bench.servers import (
    CACHE_TTL,
    FLASK,
    NGINX,
    NGINX_TUNED,
    OURS,
    OURS_MOUNTED,
    Contest,
    Server,
    contest,
    skip,
)
from bench.steady_load import Load, SteadyLoad, keeps_up
from bench.workloads import SMALL, Workload, mounted, response_to
from bench.wrk import Wrk
from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess

Anything = TypeVar("Anything")
DOCS = Path(__file__).resolve().parents[1] / "docs"
_TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds; CPU time is counted in these
_BUSY = 15.0  # percent of the machine's time that other work may take
_TIMED = (OURS, FLASK, NGINX, NGINX_TUNED)  # whose latency is measured


@dataclass(frozen=True)
class Plan:
    """The extent of a run; the defaults take about seven minutes.

    Args:
        rounds: of throughput.
        seconds: for each workload at each server in each round, whole ones.
        latency_rounds: of latency.
        latency_seconds: for each server and rate in each round.
        rates: requests a second at which latency is measured.
        pauses: swaps of the huge list.
        push_lag: updates of a list that several processes serve.
    """

    rounds: int = 8
    seconds: int = 1
    latency_rounds: int = 3
    latency_seconds: float = 2.0
    rates: Sequence[float] = (500.0, 2000.0)
    pauses: Pauses = field(default_factory=Pauses)
    push_lag: PushLag = field(default_factory=PushLag)


QUICK = Plan(
    rounds=1,
    latency_rounds=1,
    latency_seconds=1.0,
    rates=(500.0,),
    pauses=Pauses(repositories=2000, swaps=1),
    push_lag=PushLag(updates=8),
)


@dataclass(frozen=True)
class Comparison:
    """The results of the compared servers; see `Results`."""

    sizes: Mapping[str, int]
    samples: Sequence[Sample]
    mounted: Sequence[Sample]
    latencies: Sequence[Latency]


def compare(plan: Plan, programs: Mapping[str, Path], cores: Cores) -> Comparison:
    """Measure throughput and latency of all available servers.

    Raises:
        BenchError: a response was wrong or missing.
    """
    with (
        tempfile.TemporaryDirectory() as temporary,
        FakeGitHubProcess(anonymous_limit=1_000_000) as github,
        Fleet(Path(temporary), github.url, CACHE_TTL=CACHE_TTL) as fleet,
    ):
        folder = Path(temporary)
        worker = fleet.worker()
        with contest(fleet, folder, programs=programs, cores=cores) as found:
            worker.stop()
            ours = found.servers[0]
            bodies = {one.name: response_to(one, ours.port).body for one in found.workloads}
            if json.loads(bodies["list"]) != github.repos():
                raise BenchError("ours serves another list than the stand-in GitHub has")
            wrk = Wrk(programs["wrk"], folder, cores.load)
            return Comparison(
                {name: len(body) for name, body in bodies.items()},
                throughput(plan, found, wrk),
                under_mount(plan, found, wrk),
                latency(plan, found, cores),
            )


def throughput(plan: Plan, found: Contest, wrk: Wrk) -> list[Sample]:
    """Measure every server under every workload; each round begins with another server."""
    samples = []
    for number in range(plan.rounds):
        say(f"throughput, round {number + 1} of {plan.rounds}")
        for workload in found.workloads:
            samples += [
                sample(number, workload, server, wrk, plan.seconds)
                for server in rotated(found.servers, number)
            ]
    return samples


def under_mount(plan: Plan, found: Contest, wrk: Wrk) -> list[Sample]:
    """Measure ours under `/` and under `/api/v3`, one right after the other."""
    ours = found.servers[0]
    again = replace(ours, name=OURS_MOUNTED)
    pairs = list(zip(found.workloads, mounted(found.workloads, ours.port), strict=True))
    samples = []
    for number in range(plan.rounds):
        say(f"throughput under /api/v3, round {number + 1} of {plan.rounds}")
        for plain, below in pairs:
            samples += [
                sample(number, workload, server, wrk, plan.seconds)
                for workload, server in rotated([(plain, ours), (below, again)], number)
            ]
    return samples


def sample(number: int, workload: Workload, server: Server, wrk: Wrk, seconds: int) -> Sample:
    """Measure one server under one workload.

    Raises:
        BenchError: its responses did not have the size of the checked one.
    """
    size = response_to(workload, server.port).transferred
    before = server.cpu_seconds()
    run = wrk.run(
        server.url + workload.path, workload.headers, seconds=seconds, varied=workload.varied
    )
    taken = max(_TICK, server.cpu_seconds() - before)
    # Up to one response of each connection is cut off at the end.
    most = size * (1.1 + wrk.connections / run.requests)
    if not 0.9 * size <= run.transferred / run.requests <= most:
        raise BenchError(f"{server.name}: other responses to {workload.name} under load")
    return Sample(
        round=number,
        workload=workload.name,
        server=server.name,
        per_second=run.requests / run.seconds,
        per_cpu_second=run.requests / taken,
        busy=taken / run.seconds,
    )


def latency(plan: Plan, found: Contest, cores: Cores) -> list[Latency]:
    """Measure some of the servers at fixed rates."""
    latencies = []
    for number in range(plan.latency_rounds):
        say(f"latency, round {number + 1} of {plan.latency_rounds}")
        for rate in plan.rates:
            for server in rotated(found.named(*_TIMED), number):
                load = Load(server.port, SMALL, rate, seconds=plan.latency_seconds)
                with SteadyLoad(load, core=cores.load) as steady:
                    done = steady.result()
                took = [1000 * one.took for one in done]
                late = [1000 * one.noticed for one in done]
                percentiles = percentile(took, 50), percentile(took, 99), percentile(late, 99)
                latencies.append(Latency(number, server.name, rate, *percentiles, keeps_up(done)))
    return latencies


def rotated(servers: Sequence[Anything], number: int) -> list[Anything]:
    """The servers, beginning with another one in each round: the first may have an advantage."""
    at = number % len(servers)
    return [*servers[at:], *servers[:at]]


def say(what: str) -> None:
    """Print progress to standard error."""
    print(what, file=sys.stderr, flush=True)


def run(plan: Plan, *, write: Path | None, may_install: bool) -> None:
    """Measure everything, print each part when it is ready, write the files.

    Raises:
        BenchError: something cannot be measured.
    """
    programs = find_or_install(tuple(PACKAGES), may_install=may_install)
    if "wrk" not in programs:
        raise BenchError("wrk is needed: apt-get install wrk")
    cores = Cores.share_out()
    warn_if_busy()
    print(f"{describe(programs)}, {len(os.sched_getaffinity(0))} cores")
    # Only the server runs on its core.
    os.sched_setaffinity(0, cores.others)
    found = compare(plan, programs, cores)
    sizes = ", ".join(f"{name} {size:,}" for name, size in found.sizes.items())
    print(f"\nBytes of a body: {sizes}\n\n{tables.throughput(found.samples)}")
    print(f"\n{tables.mount_table(found.mounted)}")
    print(f"\n{tables.latency(found.latencies)}")
    say(f"pauses, {plan.pauses.swaps} times")
    swaps = pauses.measure(plan.pauses, cores)
    print(f"\nPauses: {plan.pauses.repositories:,} repositories taken over, in one process that")
    print(f"serves {plan.pauses.rate:.0f} requests a second\n{pauses.table(swaps)}")
    say(f"push lag, {plan.push_lag.updates} updates")
    lags = push_lag.measure(plan.push_lag, cores)
    print(f"\nPush lag: {plan.push_lag.updates} updates, {plan.push_lag.processes} processes that")
    print(f"serve {plan.push_lag.rate:.0f} requests a second\n{push_lag.table(lags)}")
    if write is not None:
        results = Results(
            found.sizes, found.samples, found.latencies, swaps, lags, mounted=found.mounted
        )
        (write / "throughput.json").write_text(results.to_json())
        if NGINX in {sample.server for sample in found.samples}:
            plot.draw(found.samples, found.sizes, write / "throughput.png")
        else:
            skip("the plot", "there is no nginx to compare with")


def warn_if_busy() -> None:
    """Print a warning if other work uses the machine."""
    busy = psutil.cpu_percent(interval=1)
    if busy > _BUSY:
        say(f"*** {busy:.0f} % of this machine's time is taken already: expect wide spreads ***")


def describe(programs: Mapping[str, Path]) -> str:
    """The versions of Python and of the other programs."""
    theirs = [f"{name} {version(path)}" for name, path in programs.items()]
    return ", ".join([f"Python {platform.python_version()}", *theirs])


def main() -> int:
    """Measure; the exit status is 1 if something cannot be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="about a minute, to try it out")
    parser.add_argument(
        "--write", type=Path, metavar="FOLDER",
        help="where throughput.json and throughput.png go; docs/ without --quick",
    )  # fmt: skip
    parser.add_argument("--no-install", action="store_true", help="use installed programs only")
    options = parser.parse_args()
    raise_on_signals()
    plan = QUICK if options.quick else Plan()
    write = options.write or (None if options.quick else DOCS)
    try:
        run(plan, write=write, may_install=not options.no_install)
    except (BenchError, AssertionError) as error:  # the latter: a time-out
        print(f"make bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
