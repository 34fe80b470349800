"""What damages the values in Redis, whatever keys there are: `tests.damaged_system` for a fleet."""

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from redis import Redis

from shared.key_table import KeyForm, Type, form_of
from tests.damaged_system import damage, make_unreadable

_SHARE: Final = 0.5  # of all keys: so what belongs together is torn
GARBAGE: Final = b"\xff\xfe"  # what is damaged begins with it, or has one of these names:
_NAMES: Final = (b"null", b"[]", b"{}", b"", b"a:b:c", b"a b", b"x", b"damage")
_Commands = list[tuple[Any, ...]]


def damage_types(redis: Redis, dice: random.Random) -> None:
    """Replace half of all values by ones of other types, without an expiry."""
    for key, form in _chosen(redis, dice):
        damage(redis, key, dice.choice([one for one in Type if one is not form.type]))


def damage_values(redis: Redis, dice: random.Random) -> Callable[[Redis], None]:
    """Overwrite half of all values with what nobody can read; gives what takes it out again."""
    damaged = _chosen(redis, dice)
    for key, form in damaged:
        if redis.type(key) == form.type.encode():  # else it has gone, or is of another type
            make_unreadable(redis, key, form)
    return lambda client: _clean(client, damaged)


def lose_expiries(redis: Redis, dice: random.Random) -> None:
    """Take the expiry of half of all values that have one."""
    for key, _ in _chosen(redis, dice):
        redis.persist(key)


def _chosen(redis: Redis, dice: random.Random) -> list[tuple[str, KeyForm]]:
    keys = sorted(key.decode(errors="replace") for key in redis.scan_iter(count=1000))
    forms = [(key, form) for key in keys if (form := form_of(key))]
    return [pair for pair in forms if dice.random() < _SHARE]


def _clean(redis: Redis, damaged: list[tuple[str, KeyForm]]) -> None:
    """Take out what is still damaged, and nothing that was written meanwhile."""
    for key, form in damaged:
        redis.transaction(partial(_clean_one, key, form), key)


def _clean_one(key: str, form: KeyForm, pipeline: Any) -> None:
    if pipeline.type(key) == form.type.encode():
        found = _CLEANERS[form.type](pipeline, key)
        pipeline.multi()
        for command in found:
            pipeline.execute_command(*command)


def _is_garbage(value: Any) -> bool:
    return value is not None and (value.startswith(GARBAGE) or value in _NAMES)


def _of_string(pipeline: Any, key: str) -> _Commands:
    return [("DEL", key)] if _is_garbage(pipeline.get(key)) else []


def _of_hash(pipeline: Any, key: str) -> _Commands:
    values = pipeline.hgetall(key).items()
    return [("HDEL", key, name) for name, value in values if _is_garbage(value)]


def _of_list(pipeline: Any, key: str) -> _Commands:
    return [("LREM", key, 0, one) for one in pipeline.lrange(key, 0, -1) if _is_garbage(one)]


def _of_set(pipeline: Any, key: str) -> _Commands:
    return [("SREM", key, one) for one in pipeline.smembers(key) if _is_garbage(one)]


def _of_zset(pipeline: Any, key: str) -> _Commands:
    return [("ZREM", key, one) for one in pipeline.zrange(key, 0, -1) if _is_garbage(one)]


def _of_stream(pipeline: Any, key: str) -> _Commands:
    return [("XDEL", key, name) for name, fields in pipeline.xrange(key) if GARBAGE in fields]


_CLEANERS: Final[Mapping[Type, Callable[[Any, str], _Commands]]] = {
    Type.STRING: _of_string,
    Type.HASH: _of_hash,
    Type.LIST: _of_list,
    Type.SET: _of_set,
    Type.ZSET: _of_zset,
    Type.STREAM: _of_stream,
}
