"""On-demand content is bounded in bytes; the least recently refreshed is evicted first."""

import os
import time

import pytest
from redis import Redis

from refresher.content.content import Content
from refresher.content.page import Body, Page
from refresher.storage.entry_writer import EntryWriter
from refresher.storage.on_demand_quota import OnDemandQuota
from refresher.storage.page_store import KnownPages
from shared.redis import keys
from shared.resources.resource import Resource
from tests.builders import on_demand, tracked
from tests.refresher.workbench import make_settings

NOW = time.time()
KEEP = 660_000


def resource(number: int) -> Resource:
    return on_demand(f"/users/user-{number}")


def write(writer: EntryWriter, one: Resource, size: int = 10_000) -> None:
    """Store content that cannot be compressed, once as the entry and once as its page."""
    body = b'"' + os.urandom(size // 2).hex().encode() + b'"'
    content = Content(200, body, pages=[Page("http://a.test", None, None, Body.of(body))])
    assert writer.store(one, content, token=writer.draw_token(one), now=NOW)


def held(redis: Redis) -> set[int]:
    """Which of the first hundred resources are in Redis."""
    return {n for n in range(100) if redis.exists(keys.entry(resource(n)))}


@pytest.fixture
def writer(redis: Redis) -> EntryWriter:
    return EntryWriter(redis, make_settings("http://github.invalid", on_demand_max_bytes=200_000))


def test_however_many_are_asked_for_there_is_no_more_than_there_is_room_for(
    redis: Redis, writer: EntryWriter
) -> None:
    for number in range(100):
        write(writer, resource(number))
    kept = held(redis)
    assert kept == set(range(100 - len(kept), 100))
    assert 2 < len(kept) < 20  # each takes its size once for its page, its body and each encoding
    total = int(redis.hget(keys.KEPT_SIZES, "total") or 0)
    assert 0 < total <= 200_000
    assert redis.zcard(keys.KEPT) == len(kept) == redis.hlen(keys.KEPT_SIZES) - 1
    names = [f"*:{kind}:*" for kind in ("entry", "pages", "record", "failure")]
    assert sum(len(redis.keys(name)) for name in names) == 2 * len(kept)
    bodies = sum(
        len(value)
        for key in [*redis.keys("*:entry:*"), *redis.keys("*:pages:*")]
        for value in redis.hvals(key)
    )
    assert bodies < total


def test_what_is_refreshed_stays(redis: Redis, writer: EntryWriter) -> None:
    write(writer, resource(0))
    for number in range(1, 60):
        write(writer, resource(number))
        time.sleep(0.001)  # Redis's clock, which orders them, counts milliseconds
        content = Content(200, b"")
        token = writer.draw_token(resource(0))
        assert writer.confirm(resource(0), content, KnownPages(), token=token, now=NOW)
    assert 0 in held(redis)
    assert 1 not in held(redis)


def test_tracked_content_is_neither_counted_nor_dropped(redis: Redis, writer: EntryWriter) -> None:
    write(writer, tracked("/orgs/Netflix"), size=400_000)
    for number in range(40):
        write(writer, resource(number))
    assert redis.exists(keys.entry(tracked("/orgs/Netflix")))
    assert redis.zscore(keys.KEPT, tracked("/orgs/Netflix").id) is None


def test_one_that_is_larger_than_all_the_room_pushes_nothing_out(
    redis: Redis, writer: EntryWriter
) -> None:
    for number in range(5):
        write(writer, resource(number))
    write(writer, resource(50), size=300_000)
    assert held(redis) == set(range(5))


def test_what_is_written_again_is_counted_once_and_what_expired_not_at_all(redis: Redis) -> None:
    quota = OnDemandQuota(redis, max_bytes=100_000)
    for _ in range(5):
        quota.take(resource(1), 10_000, keep_ms=1)
    assert int(redis.hget(keys.KEPT_SIZES, "total") or 0) == 10_000 + 1024
    time.sleep(0.005)
    OnDemandQuota(redis, max_bytes=100_000).take(resource(2), 500, keep_ms=KEEP)
    assert int(redis.hget(keys.KEPT_SIZES, "total") or 0) == 500 + 1024
    assert redis.zcard(keys.KEPT) == 1


@pytest.mark.parametrize("damage", [b"", b"x", b"-5", b"1e3", b"9" * 300, b"\xff"])
@pytest.mark.parametrize("field", ["total", resource(1).id])
def test_a_damaged_size_is_counted_as_nothing(
    redis: Redis, writer: EntryWriter, field: str, damage: bytes
) -> None:
    for number in range(4):
        write(writer, resource(number))
    redis.hset(keys.KEPT_SIZES, field, damage)
    for number in range(1, 20):
        write(writer, resource(number))
    sizes = {name: int(size) for name, size in redis.hgetall(keys.KEPT_SIZES).items()}
    total = sizes.pop(b"total")
    assert 0 < total <= 200_000
    if field == "total":
        assert total == sum(sizes.values())
