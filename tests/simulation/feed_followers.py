"""Followers of the change feed: one for each reader process, in the place of its event loop."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from reader.changes.event import Event
from reader.changes.feed import ChangeFeed
from reader.changes.window import Window
from shared.changes import BEFORE_ALL, EventId, event_id
from shared.redis import keys


class _Loop:
    """Calls at once what is left to an event loop: nothing else runs meanwhile."""

    def call_soon_threadsafe(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call a function."""
        call(*arguments)


class FeedFollower:
    """What one process has told of the feed.

    Args:
        feed: of the process; its thread is not started yet.
        failed: called with a broken promise.
    """

    def __init__(self, feed: ChangeFeed, failed: Callable[[str], None]) -> None:
        self._feed = cast(Any, feed)  # whose inner parts are replaced
        self._failed = failed
        self._since: EventId | None = None  # the last event before what is followed
        self._told: list[EventId] = []
        self._feed._loop = _Loop()
        self._feed._began = self
        self._feed._publish = self._publish
        self._feed._start_anew = self._start_anew
        self.run: Callable[[], None] = self._feed._run
        self.told = 0  # events

    def set(self) -> None:
        """The feed has begun, with an empty window."""
        self._start_anew(self._feed._window.position)

    def _start_anew(self, position: EventId) -> None:
        self._feed._window = Window(position)
        self._since, self._told = position, []

    def _publish(self, events: Sequence[Event], position: EventId) -> None:
        last = self._told[-1] if self._told else self._since
        if last is not None and position <= last:
            self._failed(f"the feed went back from {last} to {position}")
        if any(event.id != position for event in events):
            self._failed(f"the feed tells {events[0].id} at {position}")
        self._told.append(position)
        self.told += len(events)

    def lost(self, redis: Any) -> list[str]:
        """Ids of stored events that were not told."""
        if self._since is None:
            return ["all"]
        stored = [
            one
            for feed in (keys.FEED, keys.FEED_ON_DEMAND)
            for at, _ in redis.xrange(feed)
            if (one := event_id(at.decode()) or BEFORE_ALL) > self._since
        ]
        told = set(self._told)
        return [str(one) for one in sorted(stored) if one not in told]
