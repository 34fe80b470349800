"""The Lua text and its mirror in Python give the same levels."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
from redis import Redis

from shared import point_buckets
from shared.point_buckets import Points, levels, sizes

KEY = "points"
SCRIPT = (
    point_buckets.LUA
    + """
local tracked, on_demand = bucket_levels(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]),
                                         tonumber(ARGV[3]))
return {tostring(tracked), tostring(on_demand)}
"""
)
NOW = 1_800_000_000.0


def lua_levels(redis: Redis, points: int, reserve: float, now: float) -> Points:
    tracked, on_demand = redis.eval(SCRIPT, 1, KEY, points, reserve, now)
    return Points(float(tracked), float(on_demand))


def python_levels(redis: Redis, points: int, reserve: float, now: float) -> Points:
    known = cast(dict[bytes, bytes], redis.hgetall(KEY))
    return levels(known, points, reserve, now=now)


@pytest.mark.parametrize("read", [lua_levels, python_levels])
@pytest.mark.parametrize(
    ("stored", "points", "reserve", "expected"),
    [
        ({}, 400, 0.2, Points(80, 320)),
        ({}, 400, 0, Points(0, 400)),
        ({}, 1, 0.2, Points(1, 1)),
        ({"tracked": 0, "on-demand": 0, "at": NOW}, 400, 0.2, Points(0, 0)),
        ({"tracked": 0, "on-demand": 10, "at": NOW - 15}, 400, 0.2, Points(20, 90)),
        ({"tracked": 70, "on-demand": 310, "at": NOW - 15}, 400, 0.2, Points(80, 320)),
        ({"tracked": 1, "on-demand": 2, "at": NOW + 1e9}, 400, 0.2, Points(1, 2)),
        ({"tracked": 80, "on-demand": 320, "at": NOW}, 100, 0.5, Points(50, 50)),
        ({"tracked": 7}, 400, 0.2, Points(7, 320)),
    ],
)
def test_buckets_refill_evenly_up_to_their_size(
    redis: Redis,
    *,
    read: object,
    stored: Mapping[Any, Any],
    points: int,
    reserve: float,
    expected: Points,
) -> None:
    if stored:
        redis.hset(KEY, mapping=stored)
    assert callable(read)
    found = read(redis, points, reserve, NOW)
    assert (found.tracked, found.on_demand) == pytest.approx(
        (expected.tracked, expected.on_demand), abs=1e-6
    )


def test_a_time_in_the_future_is_replaced(redis: Redis) -> None:
    redis.hset(KEY, mapping={"tracked": 0, "on-demand": 0, "at": NOW + 1e9})
    lua_levels(redis, 400, 0.2, NOW)
    assert lua_levels(redis, 400, 0.2, NOW + 15) == Points(20, 80)


def test_each_party_can_send_a_request_however_few_there_are() -> None:
    assert sizes(1, 0.01) == Points(1, 1)
