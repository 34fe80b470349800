"""What a miss adds to GitHub's own time, and how many misses are served at once.

`make bench-miss` measures the promises themselves. Here, other tests may be at work on the same
processors, which only makes times longer. So GitHub takes 0.5 s for each response instead of 0.2 s,
bounds are wider, and the best of a few tries counts.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from bench.figures import percentile
from bench.misses import load
from bench.misses.figures import times_above
from bench.misses.load import Load, Request
from bench.misses.origin_process import OriginProcess, Seen
from bench.misses.small_bodies import path_of
from tests.end_to_end.fleet import Fleet, Reader

DELAY = 0.5  # seconds of GitHub for each response
NO_LIMIT = 1_000_000  # points a minute


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OriginProcess]:
    with OriginProcess(tmp_path_factory.mktemp("origin"), repositories=5) as process:
        yield process


@pytest.fixture(scope="module")
def fleet(origin: OriginProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet with one refresher, which speaks TLS with the origin."""
    with Fleet(
        tmp_path_factory.mktemp("fleet"),
        origin.secure_url,
        ORIGIN_POINTS_PER_MINUTE=NO_LIMIT,
        MISS_WAIT=10,
        REQUESTS_CA_BUNDLE=origin.authority.file,
    ) as running:
        running.worker()
        yield running


@pytest.fixture(scope="module")
def reader(fleet: Fleet) -> Reader:
    return fleet.healthy_reader()


_numbers = count()


def new_load(reader: Reader, *, clients: int, objects: int, requests: int | None = None) -> Load:
    """Clients that request objects that were never requested before, at once or in turns."""
    block = 1000 * next(_numbers)
    port = int(reader.url.rpartition(":")[2])
    return Load(port, clients, block, objects, requests or objects, seconds=60)


def made(origin: OriginProcess, wanted: Load) -> tuple[list[Request], list[Seen], int]:
    """Make a load: the clients' requests, GitHub's, and the number of its TLS handshakes."""
    origin.log()
    requests = load.run(wanted).requests
    seen, log = origin.log()
    own = {path_of(wanted.first + number) for number in range(wanted.objects)}
    return requests, [one for one in seen if one.target in own], log.handshakes


def assert_all_right(requests: list[Request], number: int) -> None:
    assert Counter(one.outcome for one in requests) == {"200": number}


def best_of_three(measure: Callable[[], float], *, enough: Callable[[float], bool]) -> float:
    """The first of up to three results that is enough; else the last."""
    for _ in range(2):
        if enough(found := measure()):
            return found
    return measure()


def test_a_miss_alone_adds_milliseconds_and_no_tls_handshake(
    origin: OriginProcess, reader: Reader
) -> None:
    """Of 20 misses in a row, half take at most 10 ms longer than at GitHub; here 25 ms."""
    origin.delay(0.05)
    made(origin, new_load(reader, clients=1, objects=1))  # opens a connection

    def milliseconds_above() -> float:
        requests, seen, handshakes = made(origin, new_load(reader, clients=1, objects=20))
        assert_all_right(requests, 20)
        assert (len(seen), handshakes) == (20, 0)
        return statistics.median(times_above(requests, seen))

    assert best_of_three(milliseconds_above, enough=lambda found: found < 25) < 25


def test_32_clients_are_served_at_once(origin: OriginProcess, reader: Reader) -> None:
    """At least 0.85 of what 32 clients would get from GitHub itself; here 0.6 of it."""
    origin.delay(DELAY)
    most = 32 / DELAY

    def per_second() -> float:
        requests, seen, handshakes = made(origin, new_load(reader, clients=32, objects=96))
        assert_all_right(requests, 96)
        assert len(seen) == 96
        assert handshakes <= 32
        return 96 / (max(one.done for one in requests) - min(one.sent for one in requests))

    assert best_of_three(per_second, enough=lambda found: found > 0.6 * most) > 0.6 * most


def test_8_clients_hardly_wait_longer_than_at_github(origin: OriginProcess, reader: Reader) -> None:
    """Half of the misses take at most 1.1 times GitHub's own time; here 1.25 times."""
    origin.delay(DELAY)

    def ratio() -> float:
        requests, _, _ = made(origin, new_load(reader, clients=8, objects=24))
        assert_all_right(requests, 24)
        return percentile([one.done - one.sent for one in requests], 50) / DELAY

    assert best_of_three(ratio, enough=lambda found: found < 1.25) < 1.25


def test_200_clients_of_four_processes_want_one_path_which_is_requested_once(
    origin: OriginProcess, fleet: Fleet
) -> None:
    origin.delay(0.5)
    reader = fleet.reader(WEB_CONCURRENCY=4)
    requests, seen, _ = made(origin, new_load(reader, clients=200, objects=1, requests=200))
    assert_all_right(requests, 200)
    assert len(seen) == 1
