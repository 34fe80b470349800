"""The thread of a reader process that receives announcements from Redis pub/sub."""

import logging
from threading import Event, Thread

from redis import Redis, RedisError

from reader.cache.synchronizer import Synchronizer
from shared.redis import announcements, keys
from shared.resources.catalogue import Catalogue

log = logging.getLogger("reader")

_POLL = 1.0  # seconds after which a stop is noticed
_PAUSE = 0.5  # seconds before subscribing again after an error


class Subscriber:
    """Passes announcements on to the synchronizer; subscribes again after any interruption.

    Args:
        redis: a client; the subscription takes a connection of its own from it.
        catalogue: finds the resource that an announcement names.
        synchronizer: receives each announcement, and learns of each subscription.
    """

    def __init__(self, redis: Redis, *, catalogue: Catalogue, synchronizer: Synchronizer) -> None:
        self._redis = redis
        self._catalogue = catalogue
        self._synchronizer = synchronizer
        self._stopped = Event()

    def start(self) -> None:
        """Start the thread; call it after any fork."""
        Thread(target=self._run, name="subscriber", daemon=True).start()

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
                log.exception("unexpected error while receiving announcements")
                self._stopped.wait(_PAUSE)

    def _listen(self) -> None:
        """Subscribe once; receive until stopped, or until the synchronizer finds a loss."""
        losses = self._synchronizer.losses
        with self._redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]
            pubsub.subscribe(keys.ANNOUNCE)
            # A connection whose other end vanished stays silent for ever and never fails.
            while not self._stopped.is_set() and self._synchronizer.losses == losses:
                message = pubsub.get_message(timeout=_POLL)
                if message is not None:
                    self._receive(message["type"], message["data"])

    def _receive(self, kind: str, data: bytes) -> None:
        # redis-py subscribes again by itself after a lost connection; that arrives here too.
        if kind == "subscribe":
            self._synchronizer.subscribed()
            return
        announcement = announcements.parse(data) if kind == "message" else None
        if announcement is not None:
            if announcement.scopes:
                self._synchronizer.touched(announcement.scopes, announcement.at)
            if announcement.withdrawn:
                self._synchronizer.withdrawn(announcement.withdrawn)
            resource = self._catalogue.named(announcement.name)
            self._synchronizer.announced(resource, announcement.number)
