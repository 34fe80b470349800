"""What a test looks for in Redis is found, in whatever form it is stored."""

import gzip
import json
import zlib
from array import array
from collections.abc import Callable

import brotli
import pytest
from redis import Redis

from shared.gzip_joining import deflated
from shared.segments import Packed
from tests.redis_contents import held_in

SECRET = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
TEXT = json.dumps({"message": "no, no, no, no", "token": SECRET, "url": "no, no, no, no"}).encode()

KEPT: dict[str, Callable[[Redis, bytes], object]] = {
    "a string": lambda redis, text: redis.set("k", text),
    "a field's name": lambda redis, text: redis.hset("k", text, 1),
    "a field": lambda redis, text: redis.hset("k", "f", text),
    "a list": lambda redis, text: redis.rpush("k", text),
    "a set": lambda redis, text: redis.sadd("k", text),
    "a sorted set": lambda redis, text: redis.zadd("k", {text: 1}),
    "a stream": lambda redis, text: redis.xadd("k", {"event": text}),
    "a name": lambda redis, text: redis.set(text, 1),
}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "brotli": brotli.compress,
    "a segment": lambda text: Packed(array("I"), deflated(text)).to_bytes(),
}


@pytest.mark.parametrize("kept", KEPT)
def test_wherever_it_stands(redis: Redis, kept: str) -> None:
    assert SECRET.encode() not in held_in(redis)
    KEPT[kept](redis, TEXT)
    assert SECRET.encode() in held_in(redis)


@pytest.mark.parametrize("packed", PACKED)
def test_however_it_is_packed(redis: Redis, packed: str) -> None:
    redis.set("k", PACKED[packed](TEXT))
    assert SECRET.encode() in held_in(redis)
    assert SECRET.encode() not in held_in(redis, without=("k",))


def test_a_dump_would_hide_it(redis: Redis) -> None:
    redis.set("k", TEXT)
    assert SECRET.encode() not in (redis.dump("k") or b"")
