"""`make bench-soak`: an hour of a fleet's load, compressed into minutes.

Well-behaved clients on 1,000 persistent connections send requests at the rate of an hour with a
climb, spikes and a lull, beside slow and rude clients; readers are reloaded, GitHub changes, GitHub
fails, Redis restarts. At the end the same load is measured without and with the rude clients, in
turns.

The exit status is 1 if held content was not served, if memory keeps growing, or if a time limit was
exceeded; 2 if the measurement failed.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bench import load_process
from bench.cores import Cores, on, stand_back
from bench.errors import BenchError
from bench.load_process import LoadProcess
from bench.pages import put_into
from bench.soak import plot
from bench.soak.events import SECRET, Hour
from bench.soak.figures import Request
from bench.soak.report import COMMAND, Plan, Soak, tables, to_json, wrong
from bench.soak.request_mix import kinds
from bench.soak.samples import Sampler
from bench.throughput import say, warn_if_busy
from bench.workloads import LIST, SMALL, ask
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

DOCS = load_process.CHECKOUT / "docs"
QUICK = Plan(minutes=0.3, rate=100, connections=100, slow_clients=36, is_quick=True)
_CONNECTING = 2.0  # seconds before the hour begins
_MISS_WAIT = 10  # seconds
# Lifetimes of the hour, compressed with it.
_LIFETIMES = {"CACHE_TTL": 1000, "LOCAL_TTL": 50, "ON_DEMAND_TTL": 60, "ON_DEMAND_KEEP": 600}


def measure(plan: Plan, cores: Cores) -> Soak:
    """Run the hour.

    Raises:
        BenchError: a load generator failed.
    """
    shape = plan.shape
    lifetimes = {name: max(1, round(shape.compressed(s))) for name, s in _LIFETIMES.items()}
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeGitHubProcess(anonymous_limit=1_000_000) as github,
        # A refresher that stands back may be slow to extend its lock.
        Fleet(
            Path(folder), github.url, MISS_WAIT=_MISS_WAIT, LOCK_TTL=30,
            GITHUB_WEBHOOK_SECRET=SECRET, **lifetimes,
        ) as fleet,
        fleet.redis() as redis,
    ):  # fmt: skip
        refresher = fleet.worker()
        with on({cores.server}):
            reader = fleet.healthy_reader(WEB_CONCURRENCY=2)
        eventually(lambda: all(reader.is_healthy() for _ in range(20)), what="both are healthy")
        for pid in (refresher.process.pid, github.process.pid):
            stand_back(pid)
        port = int(reader.url.rpartition(":")[2])
        files = _files(reader)
        begin = time.monotonic() + _CONNECTING
        common = {"port": port, "begin": begin, "minutes": plan.minutes}
        steady_clients = {
            **common, "rate": plan.rate, "connections": plan.connections,
            "etag": ask(port, SMALL, {}).etag,
        }  # fmt: skip
        groups = {
            "readers": reader.process.pid,
            "GitHub": github.process.pid,
            "refresher": refresher.process.pid,
        }
        rude = {**common, "number": plan.slow_clients}
        with (
            LoadProcess("bench.soak.steady_clients", steady_clients, cores={cores.load}) as good,
            LoadProcess("bench.soak.slow_clients", rude, cores={cores.load}) as bad,
        ):
            groups |= {"steady_clients": good.pid, "slow_clients": bad.pid}
            with Sampler(
                begin, reader.processes, redis, lambda: _with_redis(fleet, groups)
            ) as sampler:
                Hour(fleet, reader, github).play(shape, begin)
            met, others = good.printed(), bad.printed()
        eventually(lambda: len(reader.processes()) == 2, what="the old processes have ended")
        time.sleep(1)  # until readers notice that all have left
        return Soak(
            plan=plan,
            requests=_requests(met["rows"]),
            counts=met["counts"],
            slow_clients=others,
            samples=sampler.samples,
            files_before=files,
            files_after=_files(reader),
            up_to_date=_is_up_to_date(reader, github),
        )


def _with_redis(fleet: Fleet, groups: Mapping[str, int]) -> dict[str, int]:
    """The processes by group, with Redis's, which changes with its restart."""
    with suppress(AssertionError):  # Redis is down
        return {**groups, "Redis": fleet.redis_server.pid}
    return dict(groups)


def _requests(rows: list[tuple[float, float, float, int, str]]) -> list[Request]:
    among = kinds("")
    return [
        Request(due, took, noticed, among[kind].name, among[kind].group, outcome)
        for due, took, noticed, kind, outcome in rows
    ]


def _files(reader: Reader) -> int:
    return sum(process.num_fds() for process in reader.processes())


def _is_up_to_date(reader: Reader, github: FakeGitHubProcess) -> bool:
    try:
        eventually(lambda: all(reader.get(LIST).json() == github.repos() for _ in range(4)))
    except AssertionError:
        return False
    return True


def _write(soak: Soak, folder: Path) -> None:
    (folder / "soak.json").write_text(to_json(soak))
    plot.draw(folder / "soak.json", folder / "soak.png")
    page = folder / "soak.md"
    if page.exists():
        page.write_text(put_into(page.read_text(), tables(soak), command=COMMAND))


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="bench-soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="half a minute, to try it out")
    parser.add_argument("--minutes", type=float, default=Plan.minutes, help="for the hour")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="requests a second")
    parser.add_argument(
        "--write", type=Path, metavar="FOLDER",
        help="where soak.json, soak.png and soak.md go; docs/ for the usual plan",
    )  # fmt: skip
    options = parser.parse_args()
    plan = QUICK if options.quick else Plan(minutes=options.minutes, rate=options.rate)
    write = options.write or (DOCS if plan == Plan() else None)
    try:
        cores = Cores.share_out()
        warn_if_busy()
        os.sched_setaffinity(0, cores.others)
        say(f"an hour in {plan.minutes * 60:.0f} s, {plan.connections:,} connections")
        soak = measure(plan, cores)
    except (BenchError, AssertionError) as error:  # the latter: a time-out
        print(f"make bench-soak: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(tables(soak))
    if write is not None:
        _write(soak, write)
    found = wrong(soak)
    print("\n" + ("\n".join(f"WRONG: {one}" for one in found) or "Nothing went wrong."))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
