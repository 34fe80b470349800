"""How soon followers of the change feed hear of a change, and what they cost.

    python -m bench.changes [--followers 1000] [--processes 4] [--changes 50]

One node with several processes, a refresher, a stand-in GitHub that changes the organisation and
sends a webhook, and one process that follows with all connections. Two times end when a follower
has read an event: one begins with the change at GitHub, the other with the write in Redis, whose
clock gives the event its id. All run on one machine, with one clock.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess

_REQUEST = b"GET /changes HTTP/1.1\r\nHost: a.test\r\nAccept: text/event-stream\r\n\r\n"
_PAUSE = 2.0  # seconds between two changes: the second look after the event is over then
_SIGNED_WITH = "bench"


@dataclass
class Heard:
    """What followers have heard.

    Args:
        events: for each event that a follower has read, Unix times in seconds: of its write in
            Redis, and of the reading.
        changes: Unix times in seconds of the changes at GitHub, in order.
    """

    events: list[tuple[float, float]] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)

    def since_stored(self) -> list[float]:
        """Seconds from the write of each event to its reading."""
        return [heard - stored for stored, heard in self.events]

    def since_changed(self) -> list[float]:
        """Seconds from the last change at GitHub before the write of each event to its reading."""
        return [
            heard - self.changes[bisect_right(self.changes, stored) - 1]
            for stored, heard in self.events
        ]


class Follower(asyncio.Protocol):
    """One connection that follows; notes when each event was stored, and when it arrives."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the feed."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        """Note the events that are complete."""
        now = time.time()
        self._received += data
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                self._heard.events.append((int(event["id"].split("-")[0]) / 1000, now))


def memory_of(reader: Reader) -> float:
    """Bytes of memory of a node's processes that they share with no other."""
    return sum(float(process.memory_full_info().uss) for process in reader.processes())


async def follow(reader: Reader, github: FakeGitHubProcess, plan: argparse.Namespace) -> Heard:
    """Follow with all connections while the organisation changes."""
    heard, host = Heard(), reader.url.removeprefix("http://")
    address, port = host.split(":")
    loop = asyncio.get_running_loop()
    before = memory_of(reader)
    for _ in range(plan.followers):
        await loop.create_connection(lambda: Follower(heard), address, int(port))
    await asyncio.sleep(3)
    used = memory_of(reader) - before
    print(f"{plan.followers} followers: {used / plan.followers / 1024:.1f} KiB each")
    hook = {"url": f"{reader.url}/webhooks/github", "secret": _SIGNED_WITH}
    github.configure(hook=hook)
    for number in range(plan.changes):
        heard.changes.append(time.time())
        await asyncio.to_thread(github.mutate, "edit_org", description=f"number {number}")
        await asyncio.sleep(_PAUSE)
    await asyncio.sleep(3)
    return heard


def share(ages: Sequence[float], part: float) -> float:
    """A percentile, in milliseconds."""
    return 1000 * sorted(ages)[min(len(ages) - 1, int(part * len(ages)))]


def main() -> int:
    """Run it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--followers", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--changes", type=int, default=50)
    plan = parser.parse_args()
    bounds = {"CHANGES_FOLLOWERS": plan.followers, "CLIENT_MAX_FOLLOWERS": plan.followers}
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeGitHubProcess(repos=5, anonymous_limit=1_000_000) as github,
        Fleet(
            Path(folder), github.url, CACHE_TTL=600, GITHUB_WEBHOOK_SECRET=_SIGNED_WITH, **bounds
        ) as fleet,
    ):
        fleet.worker()
        reader = fleet.healthy_reader(WEB_CONCURRENCY=plan.processes)
        heard = asyncio.run(follow(reader, github, plan))
    events = len(heard.events) / plan.followers
    print(f"{plan.changes} changes: {len(heard.events)} deliveries of {events:.1f} events")
    for begins, times in (("changed", heard.since_changed()), ("stored", heard.since_stored())):
        for name, part in (("p50", 0.5), ("p99", 0.99), ("worst", 1.0)):
            print(f"from {begins} to heard, {name}: {share(times, part):.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
