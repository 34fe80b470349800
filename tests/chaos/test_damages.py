"""What the chaos run damages in Redis is damaged, and only damage is taken out again."""

import random
from typing import Any

import pytest
from redis import Redis

from shared.key_table import FORMS, Type, form_of
from tests.chaos import damages
from tests.damaged_system import damage


@pytest.fixture
def filled(redis: Redis) -> Redis:
    """A Redis with a value of each kind."""
    for form in FORMS:
        damage(redis, form.name.replace("*", "one"), form.type)
        if form.kept:
            redis.expire(form.name.replace("*", "one"), 100)
    redis.set("of strangers", "kept", ex=100)
    return redis


def types(redis: Any) -> dict[str, bytes]:
    return {key.decode(): redis.type(key) for key in redis.scan_iter(count=1000)}


def test_half_of_all_values_become_ones_of_another_type(filled: Redis) -> None:
    before = types(filled)
    damages.damage_types(filled, random.Random(1))
    after = types(filled)
    assert set(after) == set(before)
    changed = {key for key in after if after[key] != before[key]}
    assert len(before) / 3 < len(changed) < 2 * len(before) / 3
    assert all(form_of(key) for key in changed)
    assert filled.get("of strangers") == b"kept"


def test_half_of_all_values_lose_their_expiry(filled: Redis) -> None:
    before = {key for key in types(filled) if filled.ttl(key) != -1}
    damages.lose_expiries(filled, random.Random(1))
    lost = {key for key in before if filled.ttl(key) == -1}
    assert len(before) / 3 < len(lost) < 2 * len(before) / 3
    assert filled.ttl("of strangers") > 0


def test_unreadable_values_keep_their_types_and_are_cleaned(redis: Any) -> None:
    names = {type_: next(one.name for one in FORMS if one.type is type_) for type_ in Type}
    found = {type_: name.replace("*", "one") for type_, name in names.items()}
    redis.set(found[Type.STRING], "good")
    redis.hset(found[Type.HASH], "field", "good")
    redis.rpush(found[Type.LIST], "good")
    redis.sadd(found[Type.SET], "good")
    redis.zadd(found[Type.ZSET], {"good": 1})
    redis.xadd(found[Type.STREAM], {"field": "good"})

    class All(random.Random):
        def random(self) -> float:
            return 0.0

    clean = damages.damage_values(redis, All())
    assert types(redis) == {name: type_.encode() for type_, name in found.items()}
    assert redis.get(found[Type.STRING]) != b"good"
    redis.hset(found[Type.HASH], "new", "written meanwhile")
    clean(redis)
    assert redis.hgetall(found[Type.HASH]) == {b"new": b"written meanwhile"}
    assert redis.lrange(found[Type.LIST], 0, -1) == [b"good"]
    assert redis.smembers(found[Type.SET]) == {b"good"}
    assert redis.zrange(found[Type.ZSET], 0, -1) == [b"good"]
    assert [fields for _, fields in redis.xrange(found[Type.STREAM])] == [{b"field": b"good"}]
    assert not redis.exists(found[Type.STRING])
