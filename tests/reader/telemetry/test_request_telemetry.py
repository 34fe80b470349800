"""Each request is named, counted and, by the share of the access log, logged: once."""

from itertools import count

import pytest

from reader.telemetry.counters import RequestLabels
from shared.measures import SUM, Measure
from shared.outcomes import Served
from tests.reader.bench import make_telemetry

HIT = RequestLabels("/orgs/{org}", Served.LOCAL, 200)
REQUEST = {
    "method": "GET",
    "target": "/orgs/Netflix?x=1",
    "client": "192.0.2.7",
    "sent_id": b"abc-123",
}


def test_a_request_is_counted_with_the_time_that_it_took() -> None:
    times = iter([17.5])
    telemetry = make_telemetry(stopwatch=lambda: next(times))
    telemetry.end(telemetry.begin(**REQUEST, began=15.0), HIT)  # type: ignore[arg-type]
    counts = telemetry.counters.counts()
    assert counts[Measure.REQUESTS, ("/orgs/{org}", "local", "200")] == 1
    assert counts[Measure.REQUEST_SECONDS, ("local", SUM)] == 2.5


@pytest.mark.parametrize(("share", "logged"), [(0, []), (0.5, [1, 3]), (1, [1, 2, 3, 4])])
def test_requests_are_logged_by_their_share(share: float, logged: list[int]) -> None:
    numbers = count(1)
    telemetry = make_telemetry(share=share, stopwatch=lambda: next(numbers))
    for _ in range(4):
        telemetry.end(telemetry.begin(**REQUEST, began=0.0), HIT)  # type: ignore[arg-type]
    lines = telemetry.access_log._waiting
    assert [one.seconds for one in lines] == logged
    assert {(one.method, one.path, one.status, one.request_id, one.client) for one in lines} <= {
        ("GET", "/orgs/Netflix", 200, "abc-123", "192.0.2.7")
    }


def test_an_id_that_was_sent_is_kept_and_a_new_one_made_otherwise() -> None:
    telemetry = make_telemetry()
    sent = telemetry.begin(**REQUEST, began=0.0)  # type: ignore[arg-type]
    given = telemetry.begin(**{**REQUEST, "sent_id": b""}, began=0.0)  # type: ignore[arg-type]
    assert sent.id == "abc-123"
    assert given.id not in {"", "abc-123"}
