"""Everything that a Redis holds, for tests that search it for what must not be there.

`DUMP` is no way to search: Redis compresses what it dumps, and a text is broken up there.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

import brotli
from redis import Redis

from shared.gzip_joining import inflated
from shared.segments import Packed


def stored(redis: Redis) -> Iterator[tuple[str, bytes]]:
    """Each key with each part of its value: strings, fields, members and stream entries."""
    whole: dict[Any, Any] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1),
        b"stream": redis.xrange,
        b"none": lambda _: None,  # it has just expired
    }
    for key in redis.scan_iter(count=1000):
        value = whole[redis.type(key)](key)
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        for part in parts if isinstance(parts, list | set) else [parts]:
            text = part if isinstance(part, bytes) else repr(part).encode()
            yield key.decode(errors="replace"), text


def held_in(redis: Redis, *, without: tuple[str, ...] = ()) -> bytes:
    """The names of all keys and all parts of their values, as they are and unpacked.

    Args:
        without: parts of the names of keys that are left out.
    """
    pieces = list(cast("list[bytes]", redis.keys("*")))
    for name, part in stored(redis):
        if not any(one in name for one in without):
            pieces += unpackings(part)
    return b"\n".join(pieces)


def unpackings(data: bytes) -> Iterator[bytes]:
    """Some bytes, and what they are when unpacked."""
    yield data
    for unpack in (zlib.decompress, gzip.decompress, brotli.decompress, _segment):
        with suppress(zlib.error, OSError, EOFError, brotli.error, struct.error, ValueError):
            yield unpack(data)


def _segment(data: bytes) -> bytes:
    return inflated(Packed.from_bytes(data).blocks)
