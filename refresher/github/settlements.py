"""Settles reservations in a thread of its own, so that no refresh waits for it.

What is waiting is sent in one round trip. A settlement that is lost, because Redis or the process
goes away, costs what a reservation costs that is never settled (see `budget`).
"""

import logging
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any

from redis import Redis, RedisError

from shared.redis.scripts import Batch, Script
from shared.redis.trouble import trouble_of

log = logging.getLogger("refresher")

_MOST = 100  # settlements in one round trip


class Settlements:
    """A thread that runs one script with arguments that others hand over.

    Args:
        redis: a client.
        script: settles one reservation.
        done: called after each round trip with the number of settlements, also if it failed; wakes
            requests that wait for their places.
    """

    def __init__(self, redis: Redis, script: Script, *, done: Callable[[int], None]) -> None:
        self._redis = redis
        self._script = script
        self._done = done
        self._waiting: SimpleQueue[tuple[Sequence[str], Sequence[Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="settlements", daemon=True)
        self._thread.start()

    def add(self, keys: Sequence[str], args: Sequence[Any]) -> None:
        """Hand over one settlement."""
        self._waiting.put((keys, args))

    def close(self) -> None:
        """Settle what is waiting, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        is_open = True
        while is_open:
            batch = [self._waiting.get()]
            while len(batch) < _MOST and not self._waiting.empty():
                batch.append(self._waiting.get())
            is_open = None not in batch
            self._settle([one for one in batch if one is not None])

    def _settle(self, settlements: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> None:
        try:
            if len(settlements) == 1:  # a batch costs more
                self._script(self._redis, *settlements[0])
            elif settlements:
                batch = Batch(self._redis)
                for keys, args in settlements:
                    batch.run(self._script, keys, args)
                batch.execute()
        except RedisError as error:
            if trouble_of(error) is None:  # others are logged when they are met
                log.warning("%d requests were not settled: %s", len(settlements), error)
        self._done(len(settlements))
