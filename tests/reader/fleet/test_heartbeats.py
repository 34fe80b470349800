"""Reader processes are shown while they report, and no longer."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from reader.fleet.heartbeats import (
    POPULAR_SLOT_S,
    POPULAR_SLOTS,
    ReaderReport,
    leave,
    popular,
    readers,
)
from reader.fleet.heartbeats import report as say
from shared.redis import keys
from tests.builders import NOW


def make_report(pid: int = 7, **known: Any) -> ReaderReport:
    defaults: dict[str, Any] = {
        "node": "one:5000",
        "pid": pid,
        "version": "0.2.1",
        "started_at": NOW - 60,
        "at": NOW,
        "requests": 1000,
        "per_second": 12.5,
        "content": 900,
        "hits": 899,
        "local_entries": 9,
        "local_bytes": 12345,
        "missing": 0,
    }
    return ReaderReport(**{**defaults, **known})


def test_there_are_no_processes_at_first(redis: Redis) -> None:
    assert readers(redis) == []
    assert popular(redis, now=NOW, count=20) == []


def test_a_process_is_shown_as_it_last_reported(redis: Redis) -> None:
    say(redis, make_report(), {})
    last = make_report(at=NOW + 5, requests=2000)
    say(redis, last, {})
    assert readers(redis) == [last]


def test_processes_are_in_order_of_their_node_and_number(redis: Redis) -> None:
    several = [make_report(12), make_report(7), make_report(9, node="another:5000")]
    for one in several:
        say(redis, one, {})
    assert [one.id for one in readers(redis)] == ["another:5000/9", "one:5000/7", "one:5000/12"]


def test_a_process_that_leaves_is_gone_at_once(redis: Redis) -> None:
    say(redis, make_report(7), {})
    say(redis, make_report(8), {})
    leave(redis, make_report(7).id)
    assert readers(redis) == [make_report(8)]
    assert redis.exists(keys.reader(make_report(7).id)) == 0
    leave(redis, "nobody")


def test_a_report_of_a_newer_release_is_read_without_its_new_fields(redis: Redis) -> None:
    own = make_report(refused={"too-late": 3})
    say(redis, own, {})
    stored = json.loads(redis.get(keys.reader(own.id)) or "")
    redis.set(keys.reader(own.id), json.dumps(stored | {"mood": "good"}))
    assert readers(redis) == [own]


def test_a_silent_process_is_gone_when_its_report_expires(redis: Redis) -> None:
    began = time.monotonic()
    say(redis, make_report(7), {})
    left = redis.ttl(keys.reader(make_report(7).id))
    assert 15 - (time.monotonic() - began) <= left <= 20
    redis.delete(keys.reader(make_report(7).id))  # it is over
    say(redis, make_report(8, at=NOW + 1), {})
    assert readers(redis) == [make_report(8, at=NOW + 1)]


def test_the_list_of_processes_does_not_grow_with_those_that_ended(redis: Redis) -> None:
    for number in range(50):
        say(redis, make_report(number, at=NOW + number), {})
    assert redis.zcard(keys.READERS) == 20
    assert redis.zrange(keys.READERS, -1, -1) == [b"one:5000/49"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", "null", '{"node": "x", "tomorrow": 1}'])
def test_a_report_of_another_version_is_left_out(redis: Redis, text: str) -> None:
    say(redis, make_report(7), {})
    say(redis, make_report(8), {})
    redis.set(keys.reader(make_report(7).id), text)
    assert readers(redis) == [make_report(8)]


class TestPopular:
    """The most requested on-demand resources."""

    def test_is_added_up_over_processes_and_the_last_hour(self, redis: Redis) -> None:
        say(redis, make_report(7), {"/users/a": 3, "/users/b": 1})
        say(redis, make_report(8), {"/users/b": 4})
        say(redis, make_report(7, at=NOW + POPULAR_SLOT_S), {"/users/c": 1, "/users/a": 1})
        later = NOW + POPULAR_SLOT_S
        assert popular(redis, now=later, count=20) == [
            ("/users/b", 5),
            ("/users/a", 4),
            ("/users/c", 1),
        ]
        assert popular(redis, now=later, count=1) == [("/users/b", 5)]

    def test_is_in_the_same_order_each_time(self, redis: Redis) -> None:
        say(redis, make_report(), {"/users/z": 2, "/users/a": 2, "/users/m": 2})
        names = [name for name, _ in popular(redis, now=NOW, count=20)]
        assert names == ["/users/a", "/users/m", "/users/z"]

    def test_is_forgotten_after_an_hour(self, redis: Redis) -> None:
        say(redis, make_report(), {"/users/a": 3})
        last = NOW + (POPULAR_SLOTS - 1) * POPULAR_SLOT_S
        assert popular(redis, now=last, count=20) == [("/users/a", 3)]
        assert popular(redis, now=last + POPULAR_SLOT_S, count=20) == []
        ((slot),) = redis.scan_iter(keys.popular(0).removesuffix("0") + "*")
        hour = POPULAR_SLOT_S * POPULAR_SLOTS
        assert hour < redis.ttl(slot) <= hour + POPULAR_SLOT_S

    def test_keeps_the_most_requested_of_too_many(self, redis: Redis) -> None:
        names = {f"/users/{number}": number for number in range(1, 701)}
        say(redis, make_report(), names)
        found = popular(redis, now=NOW, count=10_000)
        assert found == [(f"/users/{number}", number) for number in range(700, 200, -1)]

    def test_shows_a_name_that_is_no_text(self, redis: Redis) -> None:
        say(redis, make_report(), {"/users/a": 1})
        (slot,) = redis.scan_iter(keys.popular(0).removesuffix("0") + "*")
        redis.zadd(slot, {b"/users/\xff": 2})
        assert popular(redis, now=NOW, count=1) == [("/users/\ufffd", 2)]


def test_a_process_is_known_by_its_node_and_number() -> None:
    known = make_report(7)
    assert known.id != replace(known, pid=8).id
    assert known.id != replace(known, node="other:5000").id
