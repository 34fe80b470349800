"""Counts the round trips of a client to Redis."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Connection, ConnectionPool, Redis


class RoundTrips:
    """A client of Redis, and how often it has sent something.

    Args:
        client: with connections that are counted.
    """

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.sent = 0


@contextmanager
def round_trips(url: str) -> Iterator[RoundTrips]:
    """A client of the Redis at `url` whose round trips are counted from its first command on."""

    class Counting(Connection):
        def send_packed_command(self, command: Any, check_health: bool = True) -> None:
            counted.sent += 1
            super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]

    pool = ConnectionPool.from_url(url, connection_class=Counting)
    with Redis.from_pool(pool) as client:
        counted = RoundTrips(client)
        client.ping()  # connects
        counted.sent = 0
        yield counted
