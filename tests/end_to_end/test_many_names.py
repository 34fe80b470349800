"""On-demand names that clients ask for all the time: fresh within the points, else of even ages."""

import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shared.redis import keys
from tests.end_to_end.crowd import Client
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

LATENCY = 0.2  # seconds of GitHub for each response
QUEUE = "rq:queue:refresh"


@dataclass
class Ages:
    """The ages with which clients got the names, in seconds."""

    found: list[int] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


@contextmanager
def asking_for(reader: Reader, names: Sequence[str]) -> Iterator[Ages]:
    """A client that asks for one name after the other, for each at least once a second."""
    ages, ends = Ages(), threading.Event()

    def run() -> None:
        with Client(reader.url, "127.0.1.1").connection() as connection:
            while not ends.is_set():
                for name in names:
                    response = connection.ask(name)
                    ages.statuses[response.status] += 1
                    ages.found.append(int(response.headers.get("age", -1)))
                    ends.wait(0.5 / len(names))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ages
    finally:
        ends.set()
        thread.join()


def misses_among_them(reader: Reader, *, label: str, number: int) -> list[float]:
    """Seconds that single misses of another client take, one after the other."""
    took = []
    for n in range(number):
        asked = Client(reader.url, "127.0.1.2").ask_once(f"/users/Netflix?{label}={n}")
        assert asked.status == 200
        took.append(asked.seconds)
    return took


def test_names_within_the_points_stay_fresh_and_a_miss_among_them_is_as_quick_as_alone(
    tmp_path: Path,
) -> None:
    """250 names, 60 s of freshness and 400 points a minute, scaled to 40, 4 s and 960."""
    names = [f"/users/netflix?name={n}" for n in range(40)]
    with (
        FakeGitHubProcess(repos=3, members=3, anonymous_limit=1_000_000) as github,
        Fleet(tmp_path, github.url, ON_DEMAND_TTL=4, ORIGIN_POINTS_PER_MINUTE=960) as fleet,
        fleet.redis() as redis,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        for name in names:
            assert reader.get(name).status_code == 200
        github.configure(latency=LATENCY)
        alone = misses_among_them(reader, label="alone", number=5)
        with asking_for(reader, names) as ages:
            eventually(lambda: len(ages.found) > len(names), what="all are held")
            time.sleep(4)
            github.reset_counters()
            ages.found.clear()
            queued, among = [], []
            for n in range(9):
                queued.append(redis.llen(QUEUE))
                among += misses_among_them(reader, label=f"among-{n}", number=1)
                time.sleep(0.3)
        assert set(ages.statuses) == {200}
        assert max(ages.found) <= 4 + 2
        assert max(queued) <= 20, queued
        counters = github.counters()
        assert counters["not_modified"] > 0.9 * (counters["total"] - len(among))
        assert counters["total"] > len(names)
        assert statistics.median(among) < 1.25 * statistics.median(alone) + 0.05, (among, alone)


def test_more_names_than_the_points_allow_age_evenly(tmp_path: Path) -> None:
    """20 names that are fresh for 1 s would cost 20 points a second, where there are 4."""
    names = [f"/users/netflix?name={n}" for n in range(20)]
    with (
        FakeGitHubProcess(repos=3, members=3, anonymous_limit=1_000_000) as github,
        Fleet(tmp_path, github.url, ON_DEMAND_TTL=1, ORIGIN_POINTS_PER_MINUTE=300) as fleet,
        fleet.redis() as redis,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        with asking_for(reader, names) as ages:
            eventually(lambda: len(ages.found) > len(names), what="all are held")
            github.configure(latency=LATENCY)
            redis.hset(keys.POINTS, "on-demand", 0)  # as after a minute of it
            time.sleep(5)
            github.reset_counters()
            queued = []
            for _ in range(24):
                queued.append(redis.llen(QUEUE))
                time.sleep(0.5)
            asked = github.counters()["requests"]
        assert max(queued) <= len(names) + 1, queued
        renewed = [asked.get(f"GET {name}", 0) for name in names]
        assert min(renewed) >= 1
        assert max(renewed) - min(renewed) <= 1, renewed
        assert sum(renewed) >= 0.8 * 4 * 12
