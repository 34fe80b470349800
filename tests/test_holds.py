"""Whatever holds something back is told of everywhere, with its four facts.

Why, since when, until when, and what ends it: on the status page and in `/status.json`, by `list`,
`show` and `doctor`, and in the log, which has a line when it begins and one when it ends.
"""

import json
import logging
import time
from html import unescape
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from redis import Redis
from redis.exceptions import OutOfMemoryError

from reader.fleet.hold_journal import _LINGER_S, HoldJournal
from reader.process import ReaderProcess
from scripts.embedded_redis import free_port
from shared.holds import Hold, HoldKind
from shared.redis import keys
from tests.builders import Clock
from tests.held_back import CAUSES, OWNER, SECRET, SETTINGS, WITHDRAWN, Cause
from tests.reader.conftest import MakeApp, make_app
from tests.waiting import eventually

__all__ = ["make_app"]

TOKEN = "an-admin-token-of-24-chars"
LOCAL = {kind for kind in HoldKind if Hold(kind, "", "").is_local}
PRIVATE = (SECRET, WITHDRAWN, OWNER, "ADMIN_TOKENs were")


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """A reader whose status page only operators see."""
    return make_app(**SETTINGS, admin_token=TOKEN, status_public=False)


@pytest.fixture
def public(make_app: MakeApp) -> Flask:
    """A reader whose status page everybody sees."""
    return make_app(**SETTINGS, admin_token=TOKEN)


def process_of(app: Flask) -> ReaderProcess:
    found = app.extensions["process"]
    assert isinstance(found, ReaderProcess)
    return found


def get(app: Flask, path: str, *, is_operator: bool = True) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}"} if is_operator else {}
    answer = app.test_client().get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["cache", *arguments])


def rows_of(app: Flask, kind: HoldKind, *, is_operator: bool = True) -> list[dict[str, Any]]:
    rows = get(app, "/status.json", is_operator=is_operator).json["holds"]
    return [row for row in rows if row["kind"] == kind]


def one_line(text: str) -> str:
    return " ".join(text.split())


def tells(text: str, row: dict[str, Any], cause: Cause) -> None:
    """A text for people has all facts of a row."""
    since, until = (
        one_line(row[name]).partition(" (")[0] for name in ("since_words", "until_words")
    )
    for fact in (row["reason"], row["ends_when"], since, *([until] if cause.has_end else [])):
        assert fact in text, fact


def test_every_kind_is_tried() -> None:
    assert CAUSES.keys() == set(HoldKind) - LOCAL


@pytest.fixture(params=[kind for kind in HoldKind if kind in CAUSES])
def kind(request: pytest.FixtureRequest, redis: Redis) -> HoldKind:
    """A kind of hold that has begun."""
    found: HoldKind = request.param
    CAUSES[found].begin(redis)
    return found


@pytest.fixture(autouse=True)
def _public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100000")


def test_a_hold_is_told_of_everywhere_with_its_four_facts(
    app: Flask, redis: Redis, kind: HoldKind, caplog: pytest.LogCaptureFixture
) -> None:
    cause, now = CAUSES[kind], time.time()
    Journal(app, redis).look(caplog)  # since when, a reader has noted by now
    process_of(app).start().fleet.discard()
    (row,) = rows_of(app, kind)
    assert cause.about in row["about"] or kind is HoldKind.WITHHELD
    assert row["since"] is not None
    assert (row["until"] is not None) == cause.has_end
    page = one_line(unescape(get(app, "/status").text))
    tells(page, row, cause)
    doctor = one_line(run(app, "doctor").output)
    tells(doctor, row, cause)
    listed = one_line(run(app, "list").output.partition("\nHeld back\n")[2])
    tells(listed, row, cause)
    if cause.resource:
        tells(one_line(run(app, "show", cause.resource).output), row, cause)
        found = json.loads(run(app, "show", cause.resource, "--json").output)["holds"]
        (hold,) = (one for one in found if one["kind"] == kind)
        assert (hold["reason"], hold["ends_when"]) == (row["reason"], row["ends_when"])
        assert now - 120 < hold["since"] < now + 5
        assert (hold["until"] is not None) == cause.has_end


def test_strangers_are_told_of_a_hold_without_what_is_private(
    public: Flask, kind: HoldKind
) -> None:
    cause, app = CAUSES[kind], public
    shown = get(app, "/status.json", is_operator=False).text
    shown += get(app, "/metrics", is_operator=False).text
    for name in PRIVATE:
        assert name not in shown
    rows = rows_of(app, kind, is_operator=False)
    is_counted = kind in {HoldKind.WITHDRAWN, HoldKind.WITHHELD}
    assert len(rows) == (1 if is_counted or not cause.private else 0)
    if is_counted:
        assert (rows[0]["about"][:2], rows[0]["since"], rows[0]["until"]) == ("1 ", None, None)


class Journal:
    """The journal of a reader's fleet, whose time a test moves."""

    def __init__(self, app: Flask, redis: Redis) -> None:
        self.clock, self._process = Clock(time.time()), process_of(app)
        self._journal = HoldJournal(redis, self._holds, clock=self.clock)

    def _holds(self) -> Any:
        self._process.start().fleet.discard()
        return self._process._holds()

    def look(self, caplog: pytest.LogCaptureFixture, *, after: float = 0.0) -> list[Any]:
        """What a look logs."""
        self.clock.now += after
        caplog.clear()
        self._journal.look()
        return [one for one in caplog.records if "held back" in one.getMessage()]


def test_the_log_has_one_line_when_a_hold_begins_and_one_when_it_ends(
    app: Flask, redis: Redis, kind: HoldKind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "reader")
    cause, journal = CAUSES[kind], Journal(app, redis)
    (begun,) = (one for one in journal.look(caplog) if one.fields["hold"]["kind"] == kind)
    said, fields = begun.getMessage(), begun.fields["hold"]
    assert said.startswith("held back: ")
    for fact in (cause.reason, fields["ends_when"]):
        assert fact in said or kind is HoldKind.WITHHELD
    assert ("until" in said) == cause.has_end or "with no end set" in said
    assert fields["since"] is not None
    assert (fields["until"] is not None) == cause.has_end
    assert journal.look(caplog, after=5) == []
    for name in redis.scan_iter():  # it is over
        if name != keys.HOLDS.encode():
            redis.delete(name)
    process_of(app).start().withdrawals.heard(b"nothing any more")
    assert journal.look(caplog, after=5) == []
    ended = [
        one for one in journal.look(caplog, after=_LINGER_S) if one.fields["hold"]["kind"] == kind
    ]
    (line,) = ended
    assert line.getMessage().startswith(f"no longer held back: {fields['about']}: ")
    assert "It lasted " in line.getMessage()
    assert journal.look(caplog, after=60) == []
    assert redis.hgetall(keys.HOLDS) == {}


def test_a_redis_that_refuses_writes_is_told_of_by_readers_doctor_and_log(
    app: Flask, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    troubles = process_of(app).start().troubles
    troubles.note(OutOfMemoryError("command not allowed when used memory > 'maxmemory'"))
    (row,) = rows_of(app, HoldKind.REDIS_REFUSES)
    cause = Cause(lambda _: None, "", "", has_end=False)
    assert (row["since"] is not None, row["until"]) == (True, None)
    tells(one_line(unescape(get(app, "/status").text)), row, cause)
    redis.config_set("maxmemory", 1)
    try:
        doctor = one_line(run(app, "doctor").output)
    finally:
        redis.config_set("maxmemory", 0)
    assert "Since a time that is not told here, with no end set." in doctor
    assert f"It ends when {row['ends_when']}." in doctor
    (line,) = (one.getMessage() for one in caplog.records if "out of memory" in one.getMessage())
    assert f"with no end set. It ends when {row['ends_when']}." in line
    troubles.wrote()
    assert "Redis takes writes again" in caplog.messages[-1]
    assert "It lasted " in caplog.messages[-1]


def test_a_redis_that_is_away_is_told_of_by_readers_doctor_and_log(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(**SETTINGS, admin_token=TOKEN, redis_url=f"redis://127.0.0.1:{free_port()}")
    eventually(lambda: rows_of(app, HoldKind.REDIS_AWAY, is_operator=False), what="it is noticed")
    (row,) = rows_of(app, HoldKind.REDIS_AWAY, is_operator=False)
    cause = Cause(lambda _: None, "", "", has_end=False)
    assert (row["since"] is not None, row["until"]) == (True, None)
    tells(one_line(unescape(get(app, "/status", is_operator=False).text)), row, cause)
    doctor = one_line(run(app, "doctor").output)
    assert f"with no end set. It ends when {row['ends_when']}." in doctor
    (line,) = (one for one in caplog.messages if one.startswith("Redis is away"))
    assert f"with no end set. It ends when {row['ends_when']}." in line
