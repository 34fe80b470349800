"""How soon followers of the change feed hear of a change, and what they cost.

    python -m bench.changes [--followers 1000] [--processes 4] [--changes 100]

One node with several processes, a refresher, a stand-in GitHub that changes the organisation, and
one process that follows with all connections, round robin. The time of an event begins with the
write in Redis, whose clock gives the event its id, and ends when the follower has read it: all run
on one machine, with one clock.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess

_REQUEST = b"GET /changes HTTP/1.1\r\nHost: a.test\r\nAccept: text/event-stream\r\n\r\n"
_PAUSE = 0.2  # seconds between two changes


class Follower(asyncio.Protocol):
    """One connection that follows; notes how old each event is when it arrives."""

    def __init__(self, ages: list[float]) -> None:
        self._ages = ages
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the feed."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        """Note the ages of the events that are complete."""
        now = time.time()
        self._received += data
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                self._ages.append(now - int(event["id"].split("-")[0]) / 1000)


def memory_of(reader: Reader) -> float:
    """Bytes of memory of a node's processes that they share with no other."""
    return sum(float(process.memory_full_info().uss) for process in reader.processes())


async def follow(
    reader: Reader, github: FakeGitHubProcess, plan: argparse.Namespace
) -> list[float]:
    """The ages of all events in seconds."""
    ages, host = list[float](), reader.url.removeprefix("http://")
    address, port = host.split(":")
    loop = asyncio.get_running_loop()
    before = memory_of(reader)
    for _ in range(plan.followers):
        await loop.create_connection(lambda: Follower(ages), address, int(port))
    await asyncio.sleep(3)
    used = memory_of(reader) - before
    print(f"{plan.followers} followers: {used / plan.followers / 1024:.1f} KiB each")
    for number in range(plan.changes):
        await asyncio.to_thread(github.mutate, "edit_org", description=f"number {number}")
        await asyncio.to_thread(reader.get, "/orgs/Netflix")
        await asyncio.sleep(_PAUSE)
    await asyncio.sleep(3)
    return ages


def share(ages: Sequence[float], part: float) -> float:
    """A percentile, in milliseconds."""
    return 1000 * sorted(ages)[min(len(ages) - 1, int(part * len(ages)))]


def main() -> int:
    """Run it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--followers", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--changes", type=int, default=100)
    plan = parser.parse_args()
    bounds = {"CHANGES_FOLLOWERS": plan.followers, "CLIENT_MAX_FOLLOWERS": plan.followers}
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeGitHubProcess(repos=5, anonymous_limit=1_000_000) as github,
        Fleet(Path(folder), github.url, CACHE_TTL=1, **bounds) as fleet,
    ):
        fleet.worker()
        reader = fleet.healthy_reader(WEB_CONCURRENCY=plan.processes)
        ages = asyncio.run(follow(reader, github, plan))
    events = len(ages) / plan.followers
    print(f"{len(ages)} deliveries of {events:.1f} events")
    for name, part in (("p50", 0.5), ("p99", 0.99), ("worst", 1.0)):
        print(f"from stored to heard, {name}: {share(ages, part):.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
