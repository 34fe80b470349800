"""`make bench-observing`: what counting, naming and logging requests costs where they are quickest.

A reader of this checkout beside one of the last revision that counted nothing, over the same
content in the same Redis, each alone on the server's core, in turns. What counts are the ratios of
a round: requests for a CPU second, and requests a second, where the older one does 1.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.cores import Cores, on
from bench.errors import BenchError
from bench.figures import Sample
from bench.programs import find_or_install
from bench.servers import CACHE_TTL, Server
from bench.throughput import sample, say, turned, warn_if_busy
from bench.workloads import SMALL, Workload, ask, workloads
from bench.wrk import Wrk
from scripts.embedded_redis import free_port
from tests.end_to_end.fleet import CHECKOUT, Fleet, Reader, procfile
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

# The last revision whose readers counted, named and logged nothing.
BEFORE = "1389ba355088cc2b80361c89da177dd7803a5e70"
_OLD, _NEW, _LOGGED = "before", "counted and named", "and every 100th logged"
_ASKED = ("small", "304", "view", "list-gzip", "varied")


@dataclass(frozen=True)
class Cost:
    """What is left of a workload's throughput, where `_OLD` has 1.

    Args:
        workload: its name.
        server: what is compared.
        per_cpu_second: ratio of requests for a CPU second, of each round.
        per_second: ratio of requests a second, of each round.
    """

    workload: str
    server: str
    per_cpu_second: Sequence[float]
    per_second: Sequence[float]


def measure(*, rounds: int, seconds: int, revision: str, cores: Cores) -> list[Sample]:
    """All samples; may raise `BenchError`."""
    programs = find_or_install(("wrk",), may_install=True)
    if "wrk" not in programs:
        raise BenchError("wrk is needed: apt-get install wrk")
    with (
        tempfile.TemporaryDirectory() as temporary,
        FakeGitHubProcess(anonymous_limit=1_000_000) as github,
        Fleet(Path(temporary), github.url, CACHE_TTL=CACHE_TTL) as fleet,
        ExitStack() as stack,
    ):
        folder = Path(temporary)
        worker = fleet.worker()
        tree = stack.enter_context(_checked_out(revision, folder / "before"))
        with on({cores.server}):
            servers = [
                _reader(fleet, folder, stack, name=_OLD, tree=tree),
                _reader(fleet, folder, stack, name=_NEW, tree=CHECKOUT),
                _reader(fleet, folder, stack, name=_LOGGED, tree=CHECKOUT, ACCESS_LOG="0.01"),
            ]
        worker.stop()
        wrk = Wrk(programs["wrk"], folder, cores.load)
        asked = [
            one for one in workloads(ask(servers[0].port, SMALL, {}).etag or "")
            if one.name in _ASKED
        ]  # fmt: skip
        samples: list[Sample] = []
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            samples += _round(number, servers, asked, wrk, seconds)
        return samples


def costs(samples: Sequence[Sample]) -> list[Cost]:
    """The ratios, workload by workload."""
    found = {(one.round, one.workload, one.server): one for one in samples}
    rounds = sorted({one.round for one in samples})
    return [
        Cost(
            workload,
            server,
            [
                found[at, workload, server].per_cpu_second
                / found[at, workload, _OLD].per_cpu_second
                for at in rounds
            ],
            [
                found[at, workload, server].per_second / found[at, workload, _OLD].per_second
                for at in rounds
            ],
        )
        for workload in dict.fromkeys(one.workload for one in samples)
        for server in (_NEW, _LOGGED)
    ]


def table(found: Sequence[Cost]) -> str:
    """For people: the median of the rounds, and what lies in the middle half of them."""
    lines = ["| what | how | for a CPU second | a second |", "|---|---|---|---|"]
    for cost in found:
        cells = [_cell(cost.per_cpu_second), _cell(cost.per_second)]
        lines.append(f"| {cost.workload} | {cost.server} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _round(
    number: int, servers: Sequence[Server], asked: Sequence[Workload], wrk: Wrk, seconds: int
) -> Iterator[Sample]:
    for workload in asked:
        for server in turned(servers, number):
            yield sample(number, workload, server, wrk, seconds)


def _cell(ratios: Sequence[float]) -> str:
    ordered = sorted(ratios)
    quarter = len(ordered) // 4
    return f"{median(ordered):.3f} ({ordered[quarter]:.3f}..{ordered[-1 - quarter]:.3f})"


@contextmanager
def _checked_out(revision: str, folder: Path) -> Iterator[Path]:
    """A revision's files in a folder of their own."""
    archive = subprocess.run(
        ["git", "archive", revision],  # noqa: S607 - whichever git there is
        cwd=CHECKOUT,
        capture_output=True,
        check=False,
    )
    if archive.returncode:
        raise BenchError(f"revision {revision} is not in this clone: take one that is (--against)")
    folder.mkdir()
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)  # noqa: S607
    yield folder


def _reader(
    fleet: Fleet, folder: Path, stack: ExitStack, *, name: str, tree: Path, **settings: str
) -> Server:
    port = free_port()
    environment: Mapping[str, object] = {"PORT": port, **settings}
    command = ["env", "-C", str(tree), *procfile()["reader"]]
    log = folder / f"{name.replace(' ', '-')}.log"
    reader = Reader(command, fleet.environment(**environment), log)
    stack.callback(reader.stop)
    reader.url = f"http://127.0.0.1:{port}"
    eventually(reader.is_healthy, what=f"the reader is healthy: {name}")
    return Server(name, port, reader.process.pid)


def main() -> int:
    """Measure and print; the exit status is 1 when something cannot be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=2, help="of each workload in a round")
    parser.add_argument("--against", default=BEFORE, metavar="REVISION")
    options = parser.parse_args()
    cores = Cores.share_out()
    warn_if_busy()
    os.sched_setaffinity(0, cores.others)
    try:
        samples = measure(
            rounds=options.rounds,
            seconds=options.seconds,
            revision=options.against,
            cores=cores,
        )
    except (BenchError, AssertionError) as error:  # the latter: something never happened
        print(f"make bench-observing: {error}", file=sys.stderr)
        return 1
    print(table(costs(samples)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
