"""The reports of a reader process about itself."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from reader.cache.local_cache import Usage
from reader.fleet import process_reporter as module
from reader.fleet.heartbeats import popular, readers
from reader.fleet.process_reporter import ProcessReporter, ProcessState
from reader.telemetry.counters import LocalCounters, RequestLabels, Route
from reader.telemetry.process_files import ProcessFiles
from reader.temporary_files import TemporaryFiles
from shared.clock import SYSTEM
from shared.measures import Measure
from shared.outcomes import Refusal, Served
from shared.version import VERSION
from tests.builders import NOW, Clock, absent_redis
from tests.reader import bench
from tests.reader.bench import make_telemetry
from tests.waiting import eventually

HIT = RequestLabels("/orgs/{org}", Served.LOCAL, 200)
MISS = RequestLabels("on-demand", Served.WAITED, 200, name="/users/mona")
OWN = RequestLabels(Route.LIVEZ, Served.OWN, 200)
MakeReporter = Callable[..., ProcessReporter]


@pytest.fixture
def make_reporter(redis: Redis) -> Iterator[MakeReporter]:
    """Reporters of a process with one tracked entry and two others; they end with the test."""
    made: list[ProcessReporter] = []

    def make(client: Redis = redis, *, folder: Path | None = None) -> ProcessReporter:
        telemetry = make_telemetry()
        reporter = bench.make_reporter(
            client,
            telemetry,
            state=lambda: ProcessState(
                *(Usage(1, 100), Usage(2, 250)),
                missing=3,
                waiting=2,
                followers=3,
                files={"segments": "No space left"},
            ),
            process_files=ProcessFiles(folder, pid=7, files=TemporaryFiles(SYSTEM)),
            clock=Clock(),
            stopwatch=time.monotonic,
        )
        made.append(reporter)
        return reporter

    yield make
    for reporter in made:
        if reporter._thread.is_alive():
            reporter.stop()
            reporter._thread.join(60)
            assert not reporter._thread.is_alive()


def count(reporter: ProcessReporter, *labels: RequestLabels) -> None:
    """The process serves requests."""
    for one in labels or (HIT,):
        reporter._counters.answered(one, 0.01)


def test_counts_of_the_process_are_those_of_its_threads(make_reporter: MakeReporter) -> None:
    reporter = make_reporter()
    count(reporter, HIT, MISS)
    local = LocalCounters()
    local.of(HIT).count(0.01)
    reporter.add(local.take(), connections=5)
    measures, gauges, processes = reporter.node()
    assert measures.of(Measure.REQUESTS) == {
        ("/orgs/{org}", "local", "200"): 2,
        ("on-demand", "waited", "200"): 1,
    }
    assert gauges["connections"] == 5
    assert processes == 1


def test_gauges_tell_how_much_there_is_at_this_moment(make_reporter: MakeReporter) -> None:
    reporter = make_reporter()
    reporter.add([], connections=7)
    assert reporter.gauges() == {
        "local_entries|tracked": 1,
        "local_entries|on-demand": 2,
        "local_bytes|tracked": 100,
        "local_bytes|on-demand": 250,
        "connections": 7,
        "waiting_requests": 2,
        "change_followers": 3,
        "temporary_files_failing|counts": 0,
        "temporary_files_failing|segments": 1,
        "temporary_files_failing|bodies": 0,
    }


def test_a_whole_report(redis: Redis, make_reporter: MakeReporter) -> None:
    reporter = make_reporter()
    reporter._samples.append(reporter._sample()._replace(at=reporter._samples[-1].at + 2))
    reporter.report()
    (found,) = readers(redis)
    assert (found.node, found.pid) == ("a.test:5000", 7)
    assert found.version == VERSION
    assert (found.started_at, found.at) == (NOW, NOW)
    assert (found.requests, found.per_second, found.content, found.hits) == (0, 0.0, 0, 0)
    assert (found.local_entries, found.missing) == (3, 3)
    assert found.local_bytes == 350


def test_the_rate_is_of_the_time_between_two_reports(
    redis: Redis, make_reporter: MakeReporter
) -> None:
    reporter = make_reporter()
    began = reporter._samples[0].at
    for seconds, kinds in ((5, [HIT] * 40 + [MISS] * 10), (10, [HIT] * 5 + [OWN] * 15)):
        count(reporter, *kinds)
        reporter._samples.append(reporter._sample()._replace(at=began + seconds))
    reporter.report()
    (found,) = readers(redis)
    assert (found.requests, found.per_second) == (70, 4.0)
    # Health checks and the like are no content, and hits are those from memory.
    assert (found.content, found.hits) == (55, 45)


def test_what_is_lately_forgets_what_was_long_ago(
    redis: Redis, make_reporter: MakeReporter
) -> None:
    reporter = make_reporter()
    count(reporter)
    for _ in range(20):
        reporter._samples.append(reporter._sample())
    reporter.report()
    (found,) = readers(redis)
    assert (found.requests, found.content, found.hits) == (1, 0, 0)


def test_refused_requests_of_the_last_minute_are_reported_by_cause(
    redis: Redis, make_reporter: MakeReporter
) -> None:
    reporter = make_reporter()
    reporter._counters.count(Measure.REFUSALS, Refusal.TOO_LATE)
    for _ in range(12):  # the first sample of "lately" has it
        reporter._samples.append(reporter._sample())
    for cause in (Refusal.TOO_LATE, Refusal.TOO_LATE, Refusal.CLIENT_WAITS):
        reporter._counters.count(Measure.REFUSALS, cause)
    reporter._samples.append(reporter._sample())
    reporter.report()
    (found,) = readers(redis)
    assert found.refused == {"too-late": 2, "client-waits": 1}


def test_names_are_reported_once(redis: Redis, make_reporter: MakeReporter) -> None:
    reporter = make_reporter()
    for _ in range(2):
        count(reporter, MISS)
        reporter.report()
    reporter.report()
    (found,) = readers(redis)
    assert popular(redis, now=found.at, count=5) == [("/users/mona", 2)]


class TestTheThread:
    """The thread writes once a second, and reports every few seconds."""

    @pytest.fixture(autouse=True)
    def _quickly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_TICK", 0.01)
        monkeypatch.setattr(module, "INTERVAL", 0.02)

    def test_writes_and_reports_and_signs_off_at_the_end(
        self, redis: Redis, make_reporter: MakeReporter, tmp_path: Path
    ) -> None:
        reporter = make_reporter(folder=tmp_path)
        reporter.start()
        count(reporter)
        eventually(lambda: [one.requests for one in readers(redis)] == [1])
        eventually(
            lambda: ProcessFiles(tmp_path, pid=7, files=TemporaryFiles(SYSTEM))._files()["7"][
                "counts"
            ]
        )
        reporter.stop()
        reporter._thread.join(60)
        assert readers(redis) == []

    def test_writes_down_the_last_counts_when_it_ends(
        self, make_reporter: MakeReporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_TICK", 60)
        reporter = make_reporter(folder=tmp_path)
        reporter.start()
        count(reporter)
        reporter.stop()
        counts = json.loads((tmp_path / "7.json").read_text())["counts"]
        assert counts["requests|/orgs/{org}|local|200"] == 1

    def test_outlives_a_redis_that_is_away(
        self, redis: Redis, make_reporter: MakeReporter, tmp_path: Path
    ) -> None:
        reporter = make_reporter(absent_redis(), folder=tmp_path)
        reporter.start()
        count(reporter)
        file = tmp_path / "7.json"
        eventually(lambda: file.exists() and "requests" in file.read_text())
        reporter._redis = redis
        eventually(lambda: [one.requests for one in readers(redis)] == [1])

    def test_outlives_an_error_of_our_own(
        self,
        redis: Redis,
        make_reporter: MakeReporter,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        reporter = make_reporter()
        faults = iter([ZeroDivisionError()])
        state = reporter._state

        def failing() -> ProcessState:
            for fault in faults:
                raise fault
            return state()

        monkeypatch.setattr(reporter, "_state", failing)
        reporter.start()
        eventually(lambda: readers(redis))
        assert [line.getMessage() for line in caplog.records] == [
            "unexpected error while reporting"
        ]
