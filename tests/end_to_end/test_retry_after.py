"""A client whose turn cannot come in time is told so at once, and when to come back."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from shared.redis import keys
from tests.end_to_end.crowd import Client
from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess

MISS_WAIT = 3.0  # seconds
CLIENTS = 26
AT_ONCE = 1.0  # seconds; other tests may be at work on the same processors


@dataclass(frozen=True)
class Told:
    """A client that was refused.

    Args:
        after: seconds until the refusal.
        retry_after: its `Retry-After`, in seconds.
        served_after: seconds from the refusal until it was served after all.
    """

    after: float
    retry_after: int
    served_after: float

    @property
    def is_right(self) -> bool:
        """Whether the estimate, which was rounded up, was right within a factor of two."""
        return (self.retry_after - 1) / 2 <= self.served_after <= 2 * self.retry_after


def ask(client: Client, path: str, *, is_patient: bool) -> float | Told:
    """A client that asks until it is served: seconds until it was, or what it was told first.

    A patient client comes back as it was told. Another one comes back all the time.
    """
    with client.connection() as connection:
        first = client.ask(path, connection)
        if first.status == 200:
            return first.seconds
        assert first.status == 503
        refused_at = time.monotonic()
        retry_after = int(first.response.headers["retry-after"])
        if is_patient:
            time.sleep(retry_after)
            assert client.ask(path, connection).status == 200
        else:
            while client.ask(path, connection).status != 200:
                time.sleep(0.1)
        return Told(first.seconds, retry_after, time.monotonic() - refused_at)


@pytest.mark.parametrize(
    ("settings", "latency"),
    [
        pytest.param({"ORIGIN_POINTS_PER_MINUTE": 300}, 0.1, id="4 points a second"),
        pytest.param({"REFRESH_CONCURRENCY": 4}, 0.7, id="3 refreshes at once"),
    ],
)
def test_the_estimate_is_right_within_a_factor_of_two(
    tmp_path: Path, settings: dict[str, object], latency: float
) -> None:
    """Clients at addresses of their own want different names at the same moment."""
    with (
        FakeGitHubProcess(repos=3, members=3, anonymous_limit=1_000_000) as github,
        Fleet(tmp_path, github.url, **settings, MISS_WAIT=MISS_WAIT) as fleet,
        fleet.redis() as redis,
        ThreadPoolExecutor(CLIENTS) as threads,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        github.configure(latency=latency)
        for number in range(3):  # whose duration is measured
            assert reader.get(f"/users/Netflix?known={number}").status_code == 200
        time.sleep(1.1)  # until the refresher has reported it
        if "ORIGIN_POINTS_PER_MINUTE" in settings:
            redis.hset(keys.POINTS, "on-demand", 0)  # as after a minute of many misses
        clients = [Client(reader.url, f"127.0.1.{n + 1}") for n in range(CLIENTS)]
        wanted = [
            partial(ask, client, f"/users/Netflix?new={n}", is_patient=n % 2 == 0)
            for n, client in enumerate(clients)
        ]
        results = [future.result() for future in [threads.submit(one) for one in wanted]]
    told = [one for one in results if isinstance(one, Told)]
    assert 8 <= len(told) <= CLIENTS - 8
    # A turn may come in time, and the response too late.
    assert len([one for one in told if one.after > AT_ONCE]) < len(told) / 2, told
    assert max(one for one in results if isinstance(one, float)) < MISS_WAIT + AT_ONCE
    assert len([one for one in told if one.is_right]) >= 0.9 * len(told), told
