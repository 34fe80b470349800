"""What records tell of holds: damaged values and rules of an older release hide nothing else."""

import json
from collections.abc import Iterator

import pytest
from redis import Redis

from reader.fleet.hold_facts import NO_FACTS, WrongTokens, hold_facts
from reader.fleet.hold_journal import HoldJournal
from reader.fleet.redis_state import Parts
from scripts.embedded_redis import EmbeddedRedis
from shared.redis import keys
from tests.builders import NOW, Clock


def test_wrong_tokens_count_until_a_whole_minute_has_passed(redis: Redis) -> None:
    minute = int(NOW // 60)
    assert hold_facts(redis, now=NOW) == NO_FACTS
    redis.set(keys.guesses(minute - 1), 4)
    assert hold_facts(redis, now=NOW).wrong_tokens == WrongTokens(4, 60 * (minute + 1))
    redis.set(keys.guesses(minute), 3)
    assert hold_facts(redis, now=NOW).wrong_tokens == WrongTokens(7, 60 * (minute + 2))


@pytest.mark.parametrize("value", ["", "{", "null", "[]", '{"began_at": null}', "\xff", "1e999"])
def test_what_cannot_be_read_counts_as_absent(redis: Redis, value: str) -> None:
    for key in (keys.DRIFT_DOUBTS, keys.HOLDS):
        redis.hset(key, "damaged", value)
    redis.hset(keys.HOLDS, "future", json.dumps({"began_at": NOW + 60}))
    redis.hset(keys.HOLDS, "whole", json.dumps({"began_at": NOW - 60}))
    redis.set(keys.DRIFT_TURN, value)
    redis.set(keys.guesses(int(NOW // 60)), value)
    found = hold_facts(redis, now=NOW)
    assert (found.doubts, found.put_off, found.noted) == ((), None, {"whole": NOW - 60})
    assert found.wrong_tokens.number in {0, 1}


def test_values_of_another_type_count_as_absent(redis: Redis) -> None:
    for key in (keys.DRIFT_DOUBTS, keys.HOLDS, keys.DRIFT_TURN, keys.guesses(int(NOW // 60))):
        redis.rpush(key, "x")
    assert hold_facts(redis, now=NOW) == NO_FACTS


@pytest.fixture
def old(redis: Redis, redis_server: EmbeddedRedis) -> Iterator[Redis]:
    """A client whose rules are those of a release that knew none of these keys."""
    known = [f"~{keys.PREFIX}:{name}" for name in ("tracked", "looks")]
    redis.acl_setuser("old", enabled=True, nopass=True, keys=known, commands=["+@all"])
    with Redis.from_url(redis_server.url, username="old", password="any") as client:
        yield client
    redis.acl_deluser("old")


def test_rules_of_an_older_release_hide_what_holds_and_stop_no_reader(
    old: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    parts = Parts()
    assert parts.read("holds", lambda: hold_facts(old, now=NOW), NO_FACTS) == NO_FACTS
    assert parts.damaged == []
    journal = HoldJournal(old, list, clock=Clock())
    journal._stopped.wait = lambda _=None: False  # type: ignore[method-assign, assignment]
    journal._run()
    assert len(caplog.messages) == 1
    assert "rules of Redis's users" in caplog.messages[0]
