"""A flood of new names neither makes tracked content older nor keeps other clients waiting."""

import time
from collections import Counter
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from redis import Redis

from shared.redis import keys
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from tests.end_to_end.crowd import Client, asking
from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

LIST = Catalogue(("Netflix",)).of_kind(REPOSITORIES, "Netflix")


@dataclass(frozen=True)
class Scale:
    """Of what tracked content has in its lifetime, most is for one list.

    Args:
        pages: of the list.
        lifetime: seconds that content stays fresh.
        points: requests to GitHub in a minute; a fifth is kept for tracked content.
        watched: lifetimes that the flood lasts.
    """

    pages: int
    lifetime: float
    points: int
    watched: float


def oldest(redis: Redis, *, seconds: float) -> float:
    """The greatest age that the list has in so many seconds."""
    ages, store, until = [], Store(redis), time.monotonic() + seconds
    while time.monotonic() < until:
        metadata = store.state(LIST).metadata
        assert metadata is not None
        ages.append(time.time() - metadata.validated_at)
        time.sleep(0.1)
    return max(ages)


@pytest.mark.parametrize(
    "scale",
    [
        pytest.param(Scale(12, 4, 1200, 1.5), id="scaled"),
        pytest.param(
            Scale(60, 60, 400, 2),
            id="whole",
            marks=[pytest.mark.shipping, pytest.mark.timeout(400)],
        ),
    ],
)
def test_ten_clients_that_want_new_names_all_the_time(tmp_path: Path, scale: Scale) -> None:
    names = count()
    with (
        FakeGitHubProcess(repos=100 * scale.pages, members=1, anonymous_limit=1_000_000) as github,
        Fleet(
            tmp_path,
            github.url,
            CACHE_TTL=scale.lifetime,
            LOCAL_TTL=0.5,
            MISS_WAIT=5,
            ORIGIN_POINTS_PER_MINUTE=scale.points,
            TRUSTED_PROXIES="127.0.0.1",
        ) as fleet,
        fleet.redis() as redis,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        github.configure(latency=0.03)
        undisturbed = oldest(redis, seconds=1.5 * scale.lifetime)

        flood = [
            Client(reader.url, f"127.0.1.{n}" if n % 2 else f"192.0.2.{n}", n % 2 == 0)
            for n in range(10)
        ]
        now = redis.time()[0]
        redis.hset(keys.POINTS, mapping={"on-demand": 0, "at": now})  # as after a minute of it
        with asking(flood, lambda: f"/users/Netflix?new={next(names)}", connections=8) as crowd:
            eventually(lambda: any(one.status == 503 for one in crowd.asked), what="too many ask")
            flooded = oldest(redis, seconds=scale.watched * scale.lifetime)
            single = [
                Client(reader.url, address, is_proxied).ask_once(f"/users/Netflix?single={address}")
                for address, is_proxied in (("127.0.1.11", False), ("192.0.2.11", True))
            ]

        assert flooded <= 1.2 * undisturbed
        assert [one.status for one in single] == [200, 200]
        # Ten clients share what they get.
        served = Counter(one.client for one in crowd.asked if one.status == 200)
        assert max(served.values()) <= 2 * min(served[one.address] for one in flood)


def test_a_client_that_waits_for_too_much_is_refused_and_others_are_served(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    names = count()
    with Fleet(tmp_path, github.url, CLIENT_MAX_WAITING=3) as fleet:
        fleet.worker()
        reader = fleet.healthy_reader()
        github.fault("hang", path="slow=")
        greedy, modest = Client(reader.url, "127.0.1.1"), Client(reader.url, "127.0.1.2")
        with asking([greedy], lambda: f"/users/Netflix?slow={next(names)}", connections=3):
            eventually(lambda: github.counters()["hanging"] == 3)
            refused = greedy.ask_once("/users/Netflix?one=more")
            assert refused.status == 429
            assert int(refused.response.headers["retry-after"]) >= 1
            assert modest.ask_once("/users/Netflix?modest=1").status == 200
            github.clear_faults()
