"""What begins and what ends to hold something back is logged once for the fleet."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from reader.fleet.hold_journal import _LINGER_S, _MOST_LINES, HoldJournal, Noted, changes
from shared.holds import Hold, HoldKind
from shared.redis import keys
from tests.builders import NOW, Clock

FAILING = Hold(HoldKind.FAILING, "/orgs/Netflix", "GitHub answered 502", NOW - 60, NOW + 30)
QUEUE = Hold(HoldKind.QUEUE_FULL, "content on demand", "1000 are queued")


def known(*several: Noted) -> dict[str, Noted | None]:
    return {one.hold.key: one for one in several}


def test_what_is_new_has_begun_at_the_time_of_its_record_or_now() -> None:
    found = changes({}, [FAILING, QUEUE], NOW)
    assert list(found.begun) == [Noted(FAILING, NOW - 60), Noted(QUEUE, NOW)]
    assert found.written == {one.hold.key: one for one in found.begun}
    assert (found.ended, found.removed) == ([], [])


def test_what_goes_on_is_written_only_if_its_end_has_moved() -> None:
    before = known(Noted(FAILING, NOW - 60), Noted(QUEUE, NOW))
    assert changes(before, [FAILING, QUEUE], NOW + 5).written == {}
    later = replace(FAILING, until=NOW + 90)
    found = changes(before, [later, QUEUE], NOW + 5)
    assert found.written == {later.key: Noted(later, NOW - 60)}
    assert (found.begun, found.ended) == ([], [])


def test_what_is_gone_has_ended_only_if_it_does_not_come_back() -> None:
    gone = changes(known(Noted(FAILING, NOW - 60)), [], NOW)
    assert gone.written == {FAILING.key: Noted(FAILING, NOW - 60, NOW)}
    assert (gone.ended, gone.removed) == ([], [])
    missed = known(*gone.written.values())
    assert changes(missed, [FAILING], NOW + 5).written == {FAILING.key: Noted(FAILING, NOW - 60)}
    over = changes(missed, [], NOW + _LINGER_S)
    assert (list(over.ended), list(over.removed)) == (list(gone.written.values()), [FAILING.key])


def test_damaged_records_are_removed_or_written_anew() -> None:
    found = changes({FAILING.key: None, "x": None}, [FAILING], NOW)
    assert [one.hold for one in found.begun] == [FAILING]
    assert found.removed == ["x"]


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{", b"null", b"[]", b"5", b"\xff", b"{}"),
        json.dumps({"kind": "magic", "about": "", "reason": "", "since": 1, "until": 1}).encode(),
        Noted(FAILING, NOW + 60).to_json().encode(),
        Noted(FAILING, NOW, NOW + 60).to_json().encode(),
        Noted(FAILING, float("nan")).to_json().encode(),
        Noted(FAILING, NOW).to_json().replace("502", '", "about": 5, "x": "').encode(),
    ],
)
def test_damaged_or_future_records_count_as_absent(text: bytes) -> None:
    assert Noted.from_json(text, now=NOW) is None


@given(st.sampled_from(HoldKind), st.none() | st.floats(0, NOW), st.none() | st.floats(0, NOW))
def test_a_record_comes_back_as_it_was(
    kind: HoldKind, since: float | None, missing_at: float | None
) -> None:
    noted = Noted(Hold(kind, "a", "b", since, NOW + 60), NOW - 5, missing_at)
    assert Noted.from_json(noted.to_json().encode(), now=NOW) == noted


class TestFleet:
    """The journals of several readers."""

    def test_logs_each_change_once(self, redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
        present: list[Hold] = [QUEUE]
        clock = Clock()
        journals = [HoldJournal(redis, lambda: present, clock=clock) for _ in range(3)]
        for journal in journals:
            journal.look()
        assert caplog.messages == [f"held back: {replace(QUEUE, since=NOW).words(NOW)}"]
        present.clear()
        for _ in range(3):
            clock.now += _LINGER_S
            for journal in journals:
                journal.look()
        assert caplog.messages[1:] == [
            "no longer held back: content on demand: 1000 are queued. It lasted 10 s."
        ]

    def test_has_one_process_look_at_a_time(self, redis: Redis) -> None:
        looks: list[None] = []

        def holds() -> Sequence[Hold]:
            looks.append(None)
            return []

        for _ in range(3):
            HoldJournal(redis, holds, clock=Clock()).step()
        assert len(looks) == 1
        left = redis.pttl(keys.HOLDS_TURN)
        assert left == -2 or 0 <= left <= 5000  # on a busy machine they may be over

    def test_leaves_what_it_cannot_know(self, redis: Redis) -> None:
        HoldJournal(redis, lambda: [QUEUE], clock=Clock()).look()
        before = redis.hgetall(keys.HOLDS)
        HoldJournal(redis, lambda: None, clock=Clock(NOW + 60)).look()
        assert redis.hgetall(keys.HOLDS) == before

    def test_logs_few_lines_at_a_time(self, redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "reader")
        many = [replace(FAILING, about=f"/orgs/o{number}") for number in range(500)]
        HoldJournal(redis, lambda: many, clock=Clock()).look()
        assert len(caplog.messages) == _MOST_LINES + 1
        assert caplog.messages[-1] == "of what holds something back, 480 more have begun"
        assert redis.hlen(keys.HOLDS) == 500

    def test_leaves_to_each_process_what_only_that_one_knows(
        self, redis: Redis, caplog: pytest.LogCaptureFixture
    ) -> None:
        away = Hold(HoldKind.REDIS_AWAY, "everything", "Redis does not respond", NOW)
        HoldJournal(redis, lambda: [away], clock=Clock()).look()
        assert (caplog.messages, redis.exists(keys.HOLDS)) == ([], 0)
