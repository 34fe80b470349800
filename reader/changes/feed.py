"""The change feed of a reader process: one thread reads the streams, one repeats older events.

All that followers use is called in the event loop, and never waits for a thread except to repeat
events that are no longer in memory. An event is told once this process would serve what it tells:

    refresher: stores version 2, adds its event    reader: hears of both, in any order
    reader: reads the event, holds version 1       -> keeps the event until version 2 is held
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from threading import Event as Flag
from threading import Thread
from typing import Any, cast

from redis import Redis, RedisError

from reader.cache.local_cache import LocalCache
from reader.changes.event import Event, parse
from reader.changes.following import Following
from reader.changes.window import Window
from reader.errors import Unavailable
from shared.changes import BEFORE_ALL, EventId, event_id
from shared.redis import keys
from shared.resources.catalogue import Catalogue
from shared.withdrawal import NOTHING, Withdrawals

log = logging.getLogger("reader")

AT_ONCE = 200  # events that are read, or told, in one step
LONGEST_HOLD = 5.0  # seconds after which an event is told although its content is not held
_STEP = 0.005  # seconds between two looks whether the content is held
_BLOCK = 500  # milliseconds that Redis waits for an event
_PAUSE = 0.5  # seconds before reading again after an error
_BEGIN_WITHIN = 3.0  # seconds

_Stored = tuple[EventId, Mapping[bytes, bytes]]
_FEEDS = (keys.FEED, keys.FEED_ON_DEMAND)


@dataclass(frozen=True)
class Told:
    """What a follower is told next.

    Args:
        events: in order; empty if there are none for it.
        position: id of the last event that it has heard, or did not want.
        is_behind: events between its position and the first of these are no longer known.
    """

    events: Sequence[Event]
    position: EventId
    is_behind: bool = False


class ChangeFeed:
    """The feed of one process; `begin`, `told` and `wait` are for its event loop only.

    Args:
        redis: a client; the thread that reads takes one connection from it, the other one another.
        catalogue: finds the resources of events.
        local: what this process serves.
        clock: returns Unix time in seconds.
        withdrawn: returns what is withdrawn: none of it is told.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        catalogue: Catalogue,
        local: LocalCache,
        clock: Callable[[], float],
        withdrawn: Callable[[], Withdrawals] = lambda: NOTHING,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._withdrawn = withdrawn
        self._catalogue = catalogue
        self._local = local
        self._stopped = Flag()
        self._repeating = ThreadPoolExecutor(1, thread_name_prefix="repeat")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._began: asyncio.Event | None = None
        self._window = Window(BEFORE_ALL)
        self._waiting: set[asyncio.Future[bool]] = set()
        self._read_to: EventId | None = None  # of the reading thread
        self.is_ending = False
        self.numbers = count()  # of the followers that the end has sent away
        self.epoch = 0  # grows when Redis has lost events: followers have to connect again

    async def begin(self) -> EventId:
        """The id of the last event; starts the thread for the first follower.

        Raises:
            Unavailable: the stream cannot be read.
        """
        if self._began is None:
            self._loop, self._began = asyncio.get_running_loop(), asyncio.Event()
            Thread(target=self._run, name="changes", daemon=True).start()
        try:
            async with asyncio.timeout(_BEGIN_WITHIN):
                await self._began.wait()
        except TimeoutError:
            raise Unavailable("The cache's store cannot be reached.", retry_after=5) from None
        return self._window.position

    def stop(self) -> None:
        """End the threads within a second."""
        self._stopped.set()
        self._repeating.shutdown(wait=False, cancel_futures=True)

    def end(self) -> None:
        """Have all followers end: the process ends."""
        self.is_ending = True
        self._wake()

    async def told(self, following: Following, position: EventId, *, is_first: bool) -> Told:
        """What a follower is told after an event.

        Args:
            following: what it asks for.
            position: id of the last event that it has.
            is_first: it has just said this id: whether it is one of this stream is checked.

        Raises:
            Unavailable: older events are needed, and cannot be read.
        """
        window = self._window
        if window.covers(position) and not (is_first and position > window.position):
            events = window.after(position, limit=AT_ONCE)
            reached = events[-1].id if len(events) == AT_ONCE else window.position
            wanted = [one for one in events if following.wants(one)]
            return Told(self._told_late(wanted), max(position, reached))
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._repeating, self._repeat, following, position, window.position
            )
        except (RedisError, RuntimeError):  # the latter if the process ends
            raise Unavailable("The cache's store cannot be reached.", retry_after=5) from None

    def _told_late(self, events: Sequence[Event]) -> Sequence[Event]:
        now = self._clock()
        if not events or events[0].told_late(now) is events[0]:  # the others are younger
            return events
        return [one.told_late(now) for one in events]

    def forget_withdrawn(self) -> None:
        """Tell nothing any more of what has been withdrawn; from any thread."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._forget_withdrawn)

    def _forget_withdrawn(self) -> None:
        withdrawn = self._withdrawn()
        self._window.change(lambda event: event.without(withdrawn))

    async def wait(self, seconds: float) -> bool:
        """Wait for the next event; False if none came in this time."""
        if self.is_ending or seconds <= 0:
            return self.is_ending
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(seconds, _set, woken, False)
        self._waiting.add(woken)
        try:
            return await woken
        finally:
            timer.cancel()
            self._waiting.discard(woken)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for one in waiting:
            _set(one, True)

    def _publish(self, events: Sequence[Event], position: EventId) -> None:
        for event in events:
            self._window.add(event)
        self._window.move_on(position)
        if events:
            self._wake()

    def _start_at(self, position: EventId) -> None:
        assert self._began is not None
        self._window = Window(position)
        self._began.set()

    def _start_anew(self, position: EventId) -> None:
        """Go on after a loss of events; each follower that connects again is told of it."""
        self._window = Window(position)
        self.epoch += 1
        self._wake()

    # In the thread that reads.

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._read()
            except RedisError:
                self._stopped.wait(_PAUSE)
            except RuntimeError:  # the loop has ended
                return
            except Exception:
                log.exception("unexpected error while reading changes")
                self._stopped.wait(_PAUSE)

    def _read(self) -> None:
        """Read events until stopped; begin anew if Redis has lost some meanwhile."""
        assert self._loop is not None
        bounds = self._bounds(_FEEDS)
        if self._read_to is None:
            self._read_to = bounds.last
            self._loop.call_soon_threadsafe(self._start_at, bounds.last)
        elif bounds.is_behind(self._read_to):
            self._read_to = bounds.last
            self._loop.call_soon_threadsafe(self._start_anew, bounds.last)
        while not self._stopped.is_set():
            position = str(self._read_to)
            after = dict.fromkeys(_FEEDS, position)
            read = self._redis.xread(cast(Any, after), count=AT_ONCE, block=_BLOCK)
            for at, fields in _in_order(dict(cast(Any, read))):
                event = self._parsed(at, fields)
                if event is not None:
                    self._hold(event)
                    event = event.without(self._withdrawn())
                self._read_to = at
                self._hand_on([] if event is None else [event], at)

    def _hand_on(self, events: Sequence[Event], position: EventId) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._publish, events, position)

    def _hold(self, event: Event) -> None:
        """Wait until this process would serve what an event tells."""
        for _ in range(int(LONGEST_HOLD / _STEP)):
            if self._serves(event) or self._stopped.wait(_STEP):
                return

    def _serves(self, event: Event) -> bool:
        held = self._local.peek(event.resource)
        if held is None:  # what is not held is read from Redis for the client who asks
            return not event.resource.tracked
        return held.entry.metadata.version >= event.version

    # In the thread that repeats.

    def _repeat(self, following: Following, position: EventId, upto: EventId) -> Told:
        """Events from Redis after a position, up to one that this process has told."""
        followed = ((keys.FEED, following.tracked), (keys.FEED_ON_DEMAND, following.on_demand))
        feeds = [feed for feed, is_followed in followed if is_followed]
        bounds = self._bounds(feeds)
        if bounds.is_behind(position) and position != upto:
            return Told([], upto, is_behind=True)
        if position >= upto:
            return Told([], position)
        found = {
            feed: cast(Any, self._redis.xrange(feed, str(position.next), str(upto), AT_ONCE))
            for feed in feeds
        }
        stored = _in_order(found)
        is_all = all(len(entries) < AT_ONCE for entries in found.values())
        reached = upto if is_all or not stored else stored[-1][0]
        events = (self._parsed(at, fields) for at, fields in stored)
        wanted = [one for one in events if one and following.wants(one)]
        return Told(self._told_late(wanted), reached)

    def _parsed(self, at: EventId, fields: Mapping[bytes, bytes]) -> Event | None:
        event = parse(at, fields, self._catalogue)
        return None if event is None else event.without(self._withdrawn())

    def _bounds(self, feeds: Iterable[str]) -> "_Bounds":
        with self._redis.pipeline(transaction=False) as pipeline:
            for feed in _FEEDS:
                pipeline.xrevrange(feed, count=1)
            for feed in feeds:
                pipeline.xrange(feed, count=1)
            found = [_ids(entries) for entries in pipeline.execute()]
        last = max((one for ids in found[: len(_FEEDS)] for one in ids), default=BEFORE_ALL)
        return _Bounds([one for ids in found[len(_FEEDS) :] for one in ids], last)


@dataclass(frozen=True)
class _Bounds:
    """The first id of each stream that has any, and the last one of all."""

    firsts: Sequence[EventId]
    last: EventId

    def is_behind(self, position: EventId) -> bool:
        """Whether events after this one may be missing, or it is of data that Redis has lost."""
        return any(first > position for first in self.firsts) or position > self.last


def _in_order(read: Mapping[Any, Sequence[tuple[bytes, Mapping[bytes, bytes]]]]) -> list[_Stored]:
    """The entries of both streams in the order of their ids, as far as both are known."""
    found, known_to = list[_Stored](), list[EventId]()
    for entries in read.values():
        parsed = [(one, fields) for at, fields in entries if (one := event_id(at.decode()))]
        found += parsed
        if len(entries) >= AT_ONCE and parsed:
            known_to.append(parsed[-1][0])
    end = min(known_to, default=None)
    return sorted((one for one in found if end is None or one[0] <= end), key=lambda one: one[0])


def _ids(entries: Sequence[tuple[bytes, object]]) -> list[EventId]:
    return [one for at, _ in entries if (one := event_id(at.decode()))]


def _set(future: "asyncio.Future[bool]", value: bool) -> None:
    if not future.done():
        future.set_result(value)
