"""The thread of a reader process that hears announcements."""

import logging
from threading import Event, Thread

from redis import Redis, RedisError

from reader.cache.synchronizer import Synchronizer
from shared.redis import announcements, keys
from shared.resources.catalogue import Catalogue

log = logging.getLogger("reader")

_POLL = 1.0  # seconds; how soon a stop is noticed
_PAUSE = 0.5  # seconds before subscribing again after an error


class Subscriber:
    """Passes announcements on to the caretaker, and subscribes again after any interruption.

    Args:
        redis: a client; the subscription takes a connection of its own from it.
        catalogue: finds the resource that an announcement names.
        caretaker: told of each announcement, and of each (re)subscription.
    """

    def __init__(self, redis: Redis, *, catalogue: Catalogue, synchronizer: Synchronizer) -> None:
        self._redis = redis
        self._catalogue = catalogue
        self._synchronizer = synchronizer
        self._stopped = Event()

    def start(self) -> None:
        """Begin; call it in the process that is to hear, after any fork."""
        Thread(target=self._run, name="listener", daemon=True).start()

    def stop(self) -> None:
        """End the thread within about a second."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except RedisError:
                self._stopped.wait(_PAUSE)
            except Exception:
                log.exception("unexpected error while listening to announcements")
                self._stopped.wait(_PAUSE)

    def _listen(self) -> None:
        with self._redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]
            self._synchronizer.is_deaf.clear()
            pubsub.subscribe(keys.ANNOUNCE)
            # A connection whose other end vanished stays silent for ever and never fails.
            while not self._stopped.is_set() and not self._synchronizer.is_deaf.is_set():
                message = pubsub.get_message(timeout=_POLL)
                if message is not None:
                    self._hear(message["type"], message["data"])

    def _hear(self, kind: str, data: bytes) -> None:
        # redis-py subscribes again by itself after a lost connection; that shows here too.
        if kind == "subscribe":
            self._synchronizer.subscribed()
            return
        announcement = announcements.parse(data) if kind == "message" else None
        if announcement is not None:
            resource = self._catalogue.named(announcement.name)
            self._synchronizer.announced(resource, announcement.number)
