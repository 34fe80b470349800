"""The local cache (L1): what a reader process holds in memory."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

from shared.entry import Entry, Metadata
from shared.resources.resource import Resource


@dataclass(frozen=True, slots=True)
class Held:
    """An entry in memory.

    Args:
        resource: what it is of.
        entry: the entry; never changed, only replaced.
        look_at: Unix time in seconds when Redis is to be looked at again.
        asked_at: Unix time in seconds of the last request for it.
    """

    resource: Resource
    entry: Entry
    check_at: float
    asked_at: float


@dataclass(frozen=True)
class Usage:
    """How much is held.

    Args:
        entries: their number.
        bytes: that they take, about.
    """

    entries: int
    bytes: int


class LocalCache:
    """Entries by resource. Tracked ones stay; the others are bounded in bytes, oldest use first.

    Not a store of truth: everything here can be thrown away and read again from Redis. An entry
    is only ever replaced by one that the origin confirmed later:

        request: reads version 1 from Redis    caretaker: reads version 2, puts it
        request: puts version 1                -> refused, version 2 stays

    Args:
        max_bytes: of the entries that are not tracked.
        next_look: gives the time of the next look from an entry's metadata and now.
    """

    def __init__(self, max_bytes: int, *, next_check: Callable[[Metadata, float], float]) -> None:
        self._max_bytes = max_bytes
        self._next_check = next_check
        self._lock = Lock()
        self._tracked: dict[str, Held] = {}
        self._on_demand: OrderedDict[str, Held] = OrderedDict()
        self._on_demand_bytes = 0
        self.generation = 0  # grows after each change of what would be answered

    def get(self, resource: Resource, now: float) -> Held | None:
        """What is held of a resource, marking it as asked for."""
        held = self._tracked.get(resource.id)
        if held is not None or resource.tracked:
            return held
        with self._lock:
            held = self._on_demand.get(resource.id)
            if held is not None:
                self._on_demand[resource.id] = replace(held, asked_at=now)
                self._on_demand.move_to_end(resource.id)
        return held

    def peek(self, resource: Resource) -> Held | None:
        """What is held of a resource, without marking it."""
        return self._tracked.get(resource.id) or self._on_demand.get(resource.id)

    def put(self, resource: Resource, entry: Entry, now: float) -> Entry:
        """Hold an entry unless a newer one is held; return the one that is newer.

        One that is larger than all the room there is is not held at all.
        """
        with self._lock:
            before = self.peek(resource)
            if before is not None and before.entry.metadata.is_newer_than(entry.metadata):
                return before.entry
            if not resource.tracked and entry.held_bytes > self._max_bytes:
                return entry  # it would push out all others, and then itself
            check_at = self._next_check(entry.metadata, now)
            asked_at = before.asked_at if before else now
            self._hold(Held(resource, entry, check_at, asked_at))
            self._evict()
            self.generation += 1
            return entry

    def confirm(self, resource: Resource, metadata: Metadata, now: float) -> None:
        """Take over newer metadata of the version that is held, and set the next look."""
        with self._lock:
            held = self.peek(resource)
            if held is None or held.entry.metadata.version != metadata.version:
                return
            entry = held.entry
            if metadata.is_newer_than(entry.metadata):
                entry = replace(entry, metadata=metadata)
            self._hold(replace(held, entry=entry, check_at=self._next_check(entry.metadata, now)))
            self.generation += 1

    def postpone(self, resource: Resource, check_at: float) -> None:
        """Set the next look at what is held of a resource."""
        with self._lock:
            held = self.peek(resource)
            if held is not None:
                self._hold(replace(held, check_at=check_at))

    def forget(self, resource: Resource, version: int) -> None:
        """Let go of an on-demand entry of that version or an older one: it is not to be served."""
        with self._lock:
            held = self._on_demand.get(resource.id)
            if held is not None and held.entry.metadata.version <= version:
                del self._on_demand[resource.id]
                self._on_demand_bytes -= held.entry.held_bytes
                self.generation += 1

    def drop_unasked(self, since: float) -> None:
        """Let go of on-demand entries that nobody asked for since then (Unix time, seconds)."""
        with self._lock:
            while self._on_demand:
                oldest = next(iter(self._on_demand.values()))
                if oldest.asked_at >= since:
                    return
                self._drop_oldest()

    def resources(self) -> list[Resource]:
        """Everything held."""
        with self._lock:
            held = [*self._tracked.values(), *self._on_demand.values()]
        return [one.resource for one in held]

    def usage(self) -> tuple[Usage, Usage]:
        """How much is held that is tracked, and how much on demand."""
        with self._lock:
            tracked = [held.entry.held_bytes for held in self._tracked.values()]
            on_demand = Usage(len(self._on_demand), self._on_demand_bytes)
        return Usage(len(tracked), sum(tracked)), on_demand

    @property
    def on_demand_bytes(self) -> int:
        """About how many bytes the entries take that are not tracked."""
        return self._on_demand_bytes

    def _hold(self, held: Held) -> None:
        key = held.resource.id
        if held.resource.tracked:
            self._tracked[key] = held
            return
        before = self._on_demand.get(key)
        self._on_demand_bytes += held.entry.held_bytes
        self._on_demand_bytes -= before.entry.held_bytes if before else 0
        self._on_demand[key] = held

    def _evict(self) -> None:
        while self._on_demand_bytes > self._max_bytes:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, dropped = self._on_demand.popitem(last=False)
        self._on_demand_bytes -= dropped.entry.held_bytes
