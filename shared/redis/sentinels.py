"""A sentinel client that several threads can use at once."""

import copy
from collections.abc import Callable
from typing import cast

from redis import Redis
from redis.sentinel import Sentinel, SentinelConnectionPool


class AllSentinels(Sentinel):
    """redis-py's `Sentinel` loses sentinels when several threads use it at once.

    It moves the sentinel that answered to the front of a list that all threads share:

        A: s1 (second) answered    B: s1 (second) answered    [s0, s1, s2]
        A: swaps first and second                             [s1, s0, s2]
        B: swaps first and second, by then the same           [s1, s1, s2]

    Here each thread works on its own copy of the list.
    """

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Address and port of the master; queries the sentinels one after the other."""
        own = copy.copy(self)
        own.sentinels = list(self.sentinels)
        find = cast(Callable[[Sentinel, str], tuple[str, int]], Sentinel.discover_master)
        address = find(own, service_name)
        self.sentinels = own.sentinels
        return address


def keep_all_sentinels(client: Redis) -> None:
    """Give a client that RQ made our `AllSentinels`; a client without sentinels is left alone."""
    pool = client.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        theirs = pool.sentinel_manager
        ours = copy.copy(theirs)
        ours.__class__ = AllSentinels
        pool.sentinel_manager = pool.proxy.sentinel_manager = ours
