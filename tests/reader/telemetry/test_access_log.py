"""A share of the requests is logged, a line each, away from where they are answered."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from reader.telemetry import access_log as module
from reader.telemetry.access_log import AccessLog
from tests.builders import Clock


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reader.access")


def note(log: AccessLog, target: str = "/", **known: Any) -> None:
    defaults: dict[str, Any] = {
        "method": "GET",
        "status": 200,
        "served": "local",
        "seconds": 0.0001234567,
        "request_id": "abc-123",
        "client": "192.0.2.7",
    }
    log.note(target=target, **{**defaults, **known})


@pytest.mark.parametrize(
    ("share", "wanted"),
    [
        (1, [0, 1, 2, 3, 4, 5, 6, 7]),
        (0.5, [0, 2, 4, 6]),
        (0.25, [0, 4]),
        (0.75, [0, 2, 3, 4, 6, 7]),
        (0, []),
    ],
)
def test_one_in_so_many_is_wanted_the_first_one_first(share: float, wanted: list[int]) -> None:
    log = AccessLog(share, clock=Clock())
    assert [number for number in range(8) if log.wants_next()] == wanted
    assert log.is_on is bool(wanted)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.3, 0.9, 1])
def test_in_the_long_run_it_is_the_share_that_was_asked_for(share: float) -> None:
    log = AccessLog(share, clock=Clock())
    assert sum(log.wants_next() for _ in range(10_000)) == pytest.approx(10_000 * share, abs=2)


def test_threads_that_ask_at_once_get_no_more_than_the_share() -> None:
    log = AccessLog(0.1, clock=Clock())

    def ask(_: int) -> int:
        return sum(log.wants_next() for _ in range(1000))

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(8))) == pytest.approx(800, abs=2)


def test_nothing_is_written_where_it_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog(1, clock=Clock())
    note(log)
    assert caplog.records == []
    log.write()
    assert len(caplog.records) == 1
    log.write()
    assert len(caplog.records) == 1


def test_a_whole_line(caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog(1, clock=Clock())
    note(log, "/orgs/Netflix", status=304)
    log.write()
    (line,) = caplog.records
    assert (line.name, line.levelname) == ("reader.access", "INFO")
    assert line.getMessage() == "GET /orgs/Netflix 304"
    fields: dict[str, Any] = dict(line.fields)  # type: ignore[attr-defined]
    assert fields == {
        "answered_at": "2027-01-15T08:00:00+00:00",
        "method": "GET",
        "path": "/orgs/Netflix",
        "status": 304,
        "served": "local",
        "seconds": 0.000123,
        "request_id": "abc-123",
        "client": "192.0.2.7",
    }


def test_a_query_is_left_out_for_what_clients_put_into_it(caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog(1, clock=Clock())
    note(log, "/users/mona?access_token=s3cret?&x=1")
    log.write()
    (line,) = caplog.records
    assert line.getMessage() == "GET /users/mona 200"
    assert "s3cret" not in repr(vars(line))


def test_lines_come_in_order(caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog(1, clock=Clock())
    for number in range(5):
        note(log, f"/users/{number}")
    log.write()
    assert [line.getMessage() for line in caplog.records] == [
        f"GET /users/{n} 200" for n in range(5)
    ]


def test_of_too_many_the_newest_are_kept_and_the_loss_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 3)
    log = AccessLog(1, clock=Clock())
    for number in range(5):
        note(log, f"/users/{number}")
    log.write()
    first, *lines = [line.getMessage() for line in caplog.records]
    assert first == "2 lines of the access log are lost"
    assert lines == [f"GET /users/{n} 200" for n in (2, 3, 4)]
    caplog.clear()
    log.write()
    assert caplog.records == []


def test_two_that_write_at_once_write_each_line_once(caplog: pytest.LogCaptureFixture) -> None:
    """The last lines of a process are written while its thread may be at it."""
    log = AccessLog(1, clock=Clock())
    for number in range(3):
        note(log, f"/users/{number}")
    seen: list[str] = []

    class Other(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())
            log.write()  # in the middle of the first one's writing

    other = Other()
    module.log.addHandler(other)
    try:
        log.write()
    finally:
        module.log.removeHandler(other)
    assert sorted(seen) == [f"GET /users/{n} 200" for n in range(3)]
