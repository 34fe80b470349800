"""The model of Redis is held against a real one: the same steps give the same replies and keys."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any, cast
from unittest.mock import patch

import fakeredis
import pytest
from redis import Redis, ResponseError
from redis.client import Pipeline

from refresher.dispatch.due_looks import DueLooks
from refresher.dispatch.take import JobTaker, taken_from
from refresher.github.budget import Share
from refresher.lock.refresh_lock import RefreshLocks
from refresher.storage.storage import Storage
from refresher.storage.tracked_record import TrackedRecord
from shared.clock import SYSTEM
from shared.queue_order import Lane
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis import event_record
from shared.redis.scripts import Batch
from shared.redis.withdrawals import admit, is_seen_twice, withdraw
from tests.builders import make_failure, stale, waiting
from tests.refresher.workbench import (
    CATALOGUE,
    MEMBERS,
    REPOS,
    USER_VIEW,
    make_budget,
    make_list,
    make_settings,
)
from tests.simulation.hub import BEGINNING, Hub
from tests.simulation.model_redis import ModelRedis, timed

SETTINGS = make_settings("https://api.github.com")
# Times and tokens differ from one Redis to the other; so do estimates that are made of them.
_TIME = re.compile(rb"\d{9,}(\.\d+)?|\d+\.\d+(e[+-]\d+)?")


def _plain(reply: Any) -> Any:  # noqa: PLR0911
    match reply:
        case bytes():
            return _TIME.sub(b"T", reply)
        case str():
            return _plain(reply.encode())
        case bool() | None:
            return reply
        case float() | int():
            return _plain(repr(reply))
        case dict():
            return {_plain(key): _plain(value) for key, value in reply.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(one) for one in reply]
    return str(reply)


@contextmanager
def _same_ids() -> Iterator[None]:
    with patch.object(os, "urandom", Random(17).randbytes):
        yield


def _queueing(redis: Redis) -> list[Any]:
    queue = RefreshQueue(redis, QueueLimits(waiting=2))
    said: list[Any] = [queue.ask(one)[0] for one in (stale(REPOS), stale(REPOS), stale(MEMBERS))]
    names = ("/users/a", "/users/b", "/users/c")
    for name, client in zip(names, ("192.0.2.1", "192.0.2.2", "192.0.2.1"), strict=True):
        said.append(queue.ask(waiting(replace(USER_VIEW, path=name), client))[0])
    said += [queue.length(), queue.is_queued(REPOS)]
    said.append(queue.force(MEMBERS))
    taker = JobTaker(redis, SETTINGS)
    for most in (2, 3, 9):
        batch = Batch(redis)
        taker.add(batch, [(Lane.ON_DEMAND, most), (Lane.TRACKED, most)], most=most)
        taken = taken_from(batch.execute()[0])
        said.append([(one.lane, one.priority, one.record[b"description"]) for one in taken.jobs])
    return said


def _add_mark(pipeline: Pipeline) -> None:
    pipeline.ping()


def _writing(redis: Redis) -> list[Any]:
    storage = Storage.of(redis, SETTINGS)
    writer, said = storage.writer, list[Any]()
    content, other = make_list({"id": 1}, {"id": 2}), make_list({"id": 2}, {"id": 3})
    old = writer.draw_token(MEMBERS)
    new = writer.draw_token(MEMBERS)
    said.append(new > old)
    said += [writer.store(MEMBERS, content, token=token, now=BEGINNING) for token in (old, new)]
    said.append(writer.record_failure(MEMBERS, make_failure(), token=old))
    RefreshQueue(redis, QueueLimits()).mark(MEMBERS, item=2)
    token, state = storage.begin(MEMBERS, _add_mark)
    said += [token > new, state.invalidated_by, state.looks is not None]
    known = storage.pages(MEMBERS)
    said.append(writer.store(MEMBERS, other, known, token=token, now=BEGINNING))
    said.append(writer.confirm(MEMBERS, other, known, token=new, now=BEGINNING))
    said.append(writer.confirm(MEMBERS, other, known, token=token, now=BEGINNING))
    said.append(writer.record_failure(MEMBERS, make_failure(), token=token))
    entry = storage.store.read(MEMBERS)
    said.append(entry and bytes(entry.body))
    writer.forget(USER_VIEW)
    return said


def _events(redis: Redis) -> list[Any]:
    queue = RefreshQueue(redis, QueueLimits())
    for item in (1, 2, None):
        queue.mark(REPOS, item=item)
    withdraw(redis, ["netflix/a", "#1"], updated_at="2026-01-01T00:00:02Z")
    said: list[Any] = [admit(redis, ["netflix/a"], updated_at="2026-01-01T00:00:01Z")]
    said.append(is_seen_twice(redis, "#1", apart=0, remember=60))
    said.append(is_seen_twice(redis, "#1", apart=0, remember=60))
    said.append(admit(redis, ["netflix/a", "#1"]))
    event_record.record(redis, ["/repos/netflix/a", "/orgs/netflix"], remember=60, most=2)
    event_record.record(redis, ["/users/a"], remember=60, most=2)
    TrackedRecord(redis, CATALOGUE).note()
    looks = DueLooks(redis, CATALOGUE, Storage.of(redis, SETTINGS).store, queue)
    said.append(looks.ask(BEGINNING + 10**9) is None)
    return said


def _limits(redis: Redis) -> list[Any]:
    budget = make_budget(redis, SETTINGS)
    said: list[Any] = []
    for share in (Share.TRACKED, Share.ON_DEMAND, Share.FURTHER_PAGES):
        reservation = budget.reserve(share, "/orgs/Netflix", among=None)
        said.append(reservation.request_id)
        headers = {
            "X-RateLimit-Limit": "60",
            "X-RateLimit-Remaining": "50",
            "X-RateLimit-Reset": "9999999999",
            "X-RateLimit-Resource": "core",
        }
        budget.settle(reservation, 200, headers)
    said.append(budget.pause(5.0))
    locks = RefreshLocks(redis, lifetime=10, clock=SYSTEM)
    with locks.take(REPOS) as held, locks.take(REPOS) as other:
        said += [held is not None, other is None]
    locks.close()
    return said


def _damaged(redis: Redis) -> list[Any]:
    redis.lpush("list", 1)
    said: list[Any] = []
    for command in (("HGET", "list", "a"), ("ZADD", "list", "1", "a"), ("INCR", "list")):
        with pytest.raises(ResponseError) as raised:
            redis.execute_command(*command)  # type: ignore[no-untyped-call]
        said.append(str(raised.value).partition(" ")[0])
    return said


def _contents(redis: Redis) -> dict[bytes, Any]:
    read: dict[bytes, Callable[[bytes], Any]] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": lambda key: sorted(cast(set[bytes], redis.smembers(key))),
        # Events of one millisecond have no order.
        b"zset": lambda key: sorted(cast(list[Any], redis.zrange(key, 0, -1, withscores=True))),
        b"stream": redis.xlen,
    }
    found = {}
    for key in sorted(cast(list[bytes], redis.keys())):
        kind = cast(bytes, redis.type(key))
        life = redis.ttl(key)
        found[key] = (kind, life < 0, _plain(read[kind](key)))
    return found


@pytest.mark.parametrize("story", [_queueing, _writing, _events, _limits, _damaged])
def test_the_model_does_what_redis_does(story: Callable[[Redis], list[Any]], redis: Redis) -> None:
    with _same_ids():
        real, left = _plain(story(redis)), _contents(redis)
    model = fakeredis.FakeRedis(version=(7,))
    with _same_ids():
        assert _plain(story(model)) == real
    assert _contents(model) == left


def test_the_models_time_is_handed_in() -> None:
    now = [BEGINNING]
    with timed(lambda: now[0]):
        model = fakeredis.FakeRedis(version=(7,))
        model.set("a", 1, px=1500)
        assert model.eval("return redis.call('TIME')", 0) == [str(int(BEGINNING)).encode(), b"0"]
        now[0] += 1.4
        assert model.get("a") == b"1"
        now[0] += 0.2
        assert model.get("a") is None


def test_what_expires_follows_the_models_clock_ahead_and_back() -> None:
    """As Redis does: it keeps the time at which a key expires, by its own clock."""
    hub = Hub("1")
    redis = ModelRedis(hub)
    with timed(lambda: redis.unix):
        redis.checker.set("a", 1, px=1500)
        redis.set_clock(-3600)
        assert redis.checker.pttl("a") == 3_601_500
        assert redis.earliest(redis.unix) == 0
        redis.set_clock(3600)
        assert redis.checker.get("a") == b"1"
        redis.set_clock(2)
        assert redis.checker.get("a") is None
        assert redis.checker.time()[0] == BEGINNING + 2
