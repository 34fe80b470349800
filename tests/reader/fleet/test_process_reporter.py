"""What a reader process knows of itself, and tells others."""

import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from reader.cache.local_cache import LocalCache
from reader.fleet import process_reporter as module
from reader.fleet.heartbeats import popular, readers
from reader.fleet.process_reporter import ProcessReporter
from reader.telemetry.access_log import AccessLog
from reader.telemetry.counters import RequestLabels, Route
from reader.telemetry.process_files import ProcessFiles
from shared.measures import Measure
from shared.outcomes import Served
from shared.version import VERSION
from tests.builders import NOW, absent_redis, make_entry, on_demand, tracked
from tests.waiting import eventually

HIT = RequestLabels("/orgs/{org}", Served.LOCAL, 200)
MISS = RequestLabels("on-demand", Served.WAITED, 200, name="/users/mona")
OWN = RequestLabels(Route.LIVEZ, Served.OWN, 200)
MakeObserver = Callable[..., ProcessReporter]


@pytest.fixture
def make_observer(redis: Redis) -> Iterator[MakeObserver]:
    """Observers of a process that holds one tracked entry and two others; they end at the end."""
    made: list[ProcessReporter] = []

    def make(
        client: Redis = redis, *, folder: Path | None = None, share: float = 0
    ) -> ProcessReporter:
        local = LocalCache(10**6, next_check=lambda _, now: now)
        local.put(tracked("/orgs/Netflix"), make_entry(), NOW)
        for name in ("/users/a", "/users/b"):
            local.put(on_demand(name), make_entry(), NOW)
        reporter = ProcessReporter(
            local,
            client,
            process_files=ProcessFiles(folder),
            access_log=AccessLog(share),
            port=5000,
            missing=lambda: 3,
        )
        made.append(reporter)
        return reporter

    yield make
    for reporter in made:
        if reporter._thread.is_alive():
            reporter.stop()
            reporter._thread.join(10)
            assert not reporter._thread.is_alive()


def answer(reporter: ProcessReporter, labels: RequestLabels = HIT, **known: Any) -> None:
    defaults: dict[str, Any] = {
        "method": "GET",
        "target": "/orgs/Netflix?x=1",
        "seconds": 0.01,
        "request_id": "abc-123",
        "client": "192.0.2.7",
    }
    reporter.answered(labels, **{**defaults, **known})


def test_an_answer_is_counted(make_observer: MakeObserver) -> None:
    reporter = make_observer()
    for labels in (HIT, HIT, MISS):
        answer(reporter, labels)
    measures, _, processes = reporter.node()
    assert measures.of(Measure.REQUESTS) == {
        ("/orgs/{org}", "local", "200"): 2,
        ("on-demand", "waited", "200"): 1,
    }
    assert processes == 1


def test_answers_are_logged_by_their_share(
    make_observer: MakeObserver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "reader.access")
    for share, lines in ((0, 0), (0.5, 2), (1, 4)):
        caplog.clear()
        reporter = make_observer(share=share)
        for _ in range(4):
            answer(reporter)
        reporter.write()
        assert [line.getMessage() for line in caplog.records] == ["GET /orgs/Netflix 200"] * lines


def test_gauges_tell_how_much_there_is_at_this_moment(make_observer: MakeObserver) -> None:
    reporter = make_observer()
    reporter.connections = lambda: 7
    reporter.waiting = lambda: 2
    size = make_entry().held_bytes
    assert reporter.gauges() == {
        "local_entries|tracked": 1,
        "local_entries|on-demand": 2,
        "local_bytes|tracked": size,
        "local_bytes|on-demand": 2 * size,
        "connections": 7,
        "waiting_requests": 2,
    }


def test_a_whole_report(redis: Redis, make_observer: MakeObserver) -> None:
    reporter = make_observer()
    reporter._samples.append(reporter._sample()._replace(at=reporter._samples[-1].at + 2))
    reporter.report()
    (found,) = readers(redis)
    assert (found.node, found.pid) == (f"{socket.gethostname()}:5000", os.getpid())
    assert found.version == VERSION
    assert 0 <= found.at - found.started_at < 60
    assert (found.requests, found.per_second, found.content, found.hits) == (0, 0.0, 0, 0)
    assert (found.local_entries, found.missing) == (3, 3)
    assert found.local_bytes == 3 * make_entry().held_bytes


def test_the_rate_is_of_the_time_between_two_reports(
    redis: Redis, make_observer: MakeObserver
) -> None:
    reporter = make_observer()
    began = reporter._samples[0].at
    for seconds, kinds in ((5, [HIT] * 40 + [MISS] * 10), (10, [HIT] * 5 + [OWN] * 15)):
        for labels in kinds:
            answer(reporter, labels)
        reporter._samples.append(reporter._sample()._replace(at=began + seconds))
    reporter.report()
    (found,) = readers(redis)
    assert (found.requests, found.per_second) == (70, 4.0)
    # Health checks and the like are no content, and hits are those from memory.
    assert (found.content, found.hits) == (55, 45)


def test_what_is_lately_forgets_what_was_long_ago(
    redis: Redis, make_observer: MakeObserver
) -> None:
    reporter = make_observer()
    answer(reporter)
    for _ in range(20):
        reporter._samples.append(reporter._sample())
    reporter.report()
    (found,) = readers(redis)
    assert (found.requests, found.content, found.hits) == (1, 0, 0)


def test_names_are_reported_once(redis: Redis, make_observer: MakeObserver) -> None:
    reporter = make_observer()
    for _ in range(2):
        answer(reporter, MISS)
        reporter.report()
    reporter.report()
    (found,) = readers(redis)
    assert popular(redis, now=found.at, count=5) == [("/users/mona", 2)]


class TestTheThread:
    """Tells others once a second, and reports every few seconds."""

    @pytest.fixture(autouse=True)
    def _quickly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_TICK", 0.01)
        monkeypatch.setattr(module, "INTERVAL", 0.02)

    def test_writes_and_reports_and_signs_off_at_the_end(
        self, redis: Redis, make_observer: MakeObserver, tmp_path: Path
    ) -> None:
        reporter = make_observer(folder=tmp_path)
        reporter.start()
        answer(reporter)
        eventually(lambda: [one.requests for one in readers(redis)] == [1])
        eventually(lambda: ProcessFiles(tmp_path)._files()[str(os.getpid())]["counts"])
        reporter.stop()
        reporter._thread.join(10)
        assert readers(redis) == []

    def test_writes_down_the_last_counts_when_it_ends(
        self, make_observer: MakeObserver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_TICK", 60)
        reporter = make_observer(folder=tmp_path)
        reporter.start()
        answer(reporter)
        reporter.stop()
        counts = json.loads((tmp_path / f"{os.getpid()}.json").read_text())["counts"]
        assert counts["requests|/orgs/{org}|local|200"] == 1

    def test_outlives_a_redis_that_is_away(
        self, redis: Redis, make_observer: MakeObserver, tmp_path: Path
    ) -> None:
        reporter = make_observer(absent_redis(), folder=tmp_path)
        reporter.start()
        answer(reporter)
        file = tmp_path / f"{os.getpid()}.json"
        eventually(lambda: file.exists() and "requests" in file.read_text())
        reporter._redis = redis
        eventually(lambda: [one.requests for one in readers(redis)] == [1])

    def test_outlives_an_error_of_our_own(
        self,
        redis: Redis,
        make_observer: MakeObserver,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        reporter = make_observer()
        faults = iter([ZeroDivisionError()])

        def connections() -> int:
            for fault in faults:
                raise fault
            return 1

        reporter.connections = connections
        reporter.start()
        eventually(lambda: readers(redis))
        assert [line.getMessage() for line in caplog.records] == [
            "unexpected error while reporting"
        ]
