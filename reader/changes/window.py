"""The events that a process has read last, in memory; bounded. Pure.

All followers of the process read from it, each at its own position. So a follower has no buffer of
its own, and one that is slow costs nothing until it is dropped.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from reader.changes.event import Event
from shared.changes import EventId

MOST_EVENTS = 2000
MOST_BYTES = 4 * 1024 * 1024


class Window:
    """The last events.

    Args:
        position: id of the last event before the first one of the window.
    """

    def __init__(self, position: EventId) -> None:
        self.floor = position  # the window has every event after it, up to `position`
        self.position = position
        self._events: list[Event] = []
        self._ids: list[EventId] = []
        self._bytes = 0

    def covers(self, position: EventId) -> bool:
        """Whether the window has all events after this one."""
        return position >= self.floor

    def after(self, position: EventId, *, limit: int) -> Sequence[Event]:
        """The events after this one, at most so many."""
        at = bisect_right(self._ids, position)
        return self._events[at : at + limit]

    def add(self, event: Event) -> None:
        """Add an event that comes after all others."""
        self._events.append(event)
        self._ids.append(event.id)
        self._bytes += len(event.lines)
        self.position = max(self.position, event.id)
        if len(self._events) > MOST_EVENTS or self._bytes > MOST_BYTES:
            self._drop(max(1, len(self._events) // 4))

    def change(self, change: Callable[[Event], Event | None]) -> None:
        """Replace each event by what is to be told of it now; None for nothing."""
        changed = [change(one) for one in self._events]
        self._events = [one for one in changed if one is not None]
        self._ids = [one.id for one in self._events]
        self._bytes = sum(len(one.lines) for one in self._events)

    def move_on(self, position: EventId) -> None:
        """Take note that there is nothing to tell up to this id."""
        self.position = max(self.position, position)

    def _drop(self, number: int) -> None:
        dropped = self._events[:number]
        self.floor = dropped[-1].id
        self._bytes -= sum(len(one.lines) for one in dropped)
        del self._events[:number], self._ids[:number]
