"""The local cache (L1): the entries that a reader process holds in memory."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from reader.cache.recent_events import RecentEvents
from shared.entry import Entry, Metadata
from shared.event_bound import bounded_by_event
from shared.resources.resource import Resource
from shared.time_bounds import is_past
from shared.withdrawal import NOTHING, Withdrawals
from shared.withdrawn_entry import relabelled

log = logging.getLogger("reader")


@dataclass(frozen=True, slots=True)
class Held:
    """An entry in memory.

    Args:
        resource: of the entry.
        entry: never changed, only replaced.
        check_at: Unix time in seconds when it is next checked in Redis.
        scheduled_at: Unix time in seconds when that was decided.
        asked_at: Unix time in seconds of the last request for it.
        whole: the entry as it is stored, if something withdrawn was left out of `entry`.
    """

    resource: Resource
    entry: Entry
    check_at: float
    scheduled_at: float
    asked_at: float
    whole: Entry | None = None

    @property
    def stored(self) -> Metadata:
        """The metadata of the entry as it is stored."""
        return (self.whole or self.entry).metadata

    def is_due(self, now: float) -> bool:
        """Whether it is to be checked in Redis now, or Redis's clock was set back since."""
        return now >= self.check_at or not is_past(self.scheduled_at, now)


@dataclass(frozen=True)
class Usage:
    """How much memory entries take.

    Args:
        entries: their number.
        bytes: their approximate size.
    """

    entries: int
    bytes: int


class LocalCache:
    """Entries by resource. Tracked entries stay; on-demand ones are bounded in bytes (LRU).

    Not a store of truth: everything here can be dropped and read again from Redis. An entry is only
    ever replaced by one that a later refresh confirmed, by fencing token:

        request: reads version 1 from Redis    synchronizer: reads version 2, puts it
        request: puts version 1                -> refused, version 2 stays

    Nor is a list replaced by one that lost much of it, if nothing else than this memory can tell:
    Redis had lost the list, and GitHub was not asked twice since (`shared.suspicion`).

    Whatever is held shows nothing that is withdrawn (`shared.withdrawal`): that is removed once,
    when an entry is put here, or when this process learns of the withdrawal.

    Args:
        max_bytes: of all on-demand entries.
        keep: seconds for which an on-demand entry is held without a request for it.
        next_check: returns when an entry is next checked, from its metadata and now.
        withdrawn: returns what is withdrawn.
    """

    def __init__(
        self,
        max_bytes: int,
        *,
        keep: float,
        next_check: Callable[[Metadata, float], float],
        withdrawn: Callable[[], Withdrawals] = lambda: NOTHING,
    ) -> None:
        self._max_bytes = max_bytes
        self._keep = keep
        self._next_check = next_check
        self._withdrawn = withdrawn
        self._lock = Lock()
        self._tracked: dict[str, Held] = {}
        self._on_demand: OrderedDict[str, Held] = OrderedDict()
        self._on_demand_bytes = 0
        self._events = RecentEvents()
        self._tried: set[str] = set()
        self.generation = 0  # grows after each change that changes a response

    def get(self, resource: Resource, now: float) -> Held | None:
        """The entry that is held of a resource, for a request; None if no entry is held."""
        held = self._tracked.get(resource.id)
        if held is not None or resource.tracked:
            return held
        with self._lock:
            held = self._on_demand.get(resource.id)
            if held is not None:
                entry = self._bounded(resource, held.entry)
                held = self._on_demand[resource.id] = replace(held, entry=entry, asked_at=now)
                self._on_demand.move_to_end(resource.id)
        return held

    def peek(self, resource: Resource) -> Held | None:
        """The entry that is held of a resource, without a request; None if no entry is held."""
        return self._tracked.get(resource.id) or self._on_demand.get(resource.id)

    def missing(self, resources: Iterable[Resource]) -> list[Resource]:
        """Those of the resources that are not held, unless `note_tried` was called for them."""
        return [
            resource
            for resource in resources
            if self.peek(resource) is None and resource.id not in self._tried
        ]

    def note_tried(self, resource: Resource) -> None:
        """Note that GitHub was asked for what `TRACK` names, and that it could not be stored.

        One path that cannot be read must not keep the readers out of service.
        """
        if resource.kind.is_named:
            self._tried.add(resource.id)

    def put(self, resource: Resource, entry: Entry, now: float) -> Entry:
        """Hold an entry unless a newer one is held; return what is shown of the newer of the two.

        An on-demand entry that is larger than `max_bytes` is returned and not held.
        """
        while True:
            withdrawn = self._withdrawn()
            shown = withdrawn.shown(resource, entry)  # may take a while
            with self._lock:
                if self._withdrawn() is withdrawn:
                    whole = None if shown is entry else entry
                    return self._put(resource, shown, whole, now)

    def _put(self, resource: Resource, entry: Entry, whole: Entry | None, now: float) -> Entry:
        before = self.peek(resource)
        if before is not None and (
            before.entry.metadata.is_newer_than(entry.metadata, now)
            or entry.metadata.may_lack_items_of(before.stored)
        ):
            return before.entry
        if not resource.tracked and entry.held_bytes > self._max_bytes:
            return entry  # it would push out all others, and then itself
        check_at = self._next_check(entry.metadata, now)
        asked_at = before.asked_at if before else now
        self._hold(Held(resource, entry, check_at, now, asked_at, whole))
        self._evict()
        self.generation += 1
        return entry

    def confirm(self, resource: Resource, metadata: Metadata, now: float) -> None:
        """Apply metadata to the held version unless it is older; schedule the next check."""
        with self._lock:
            held = self.peek(resource)
            if held is None or held.entry.metadata.version != metadata.version:
                return
            entry, whole = held.entry, held.whole
            stored = (whole or entry).metadata
            if metadata != stored and not stored.is_newer_than(metadata, now):
                if whole is None:
                    entry = replace(entry, metadata=metadata)
                else:
                    entry, whole = relabelled(entry, metadata), replace(whole, metadata=metadata)
            check_at = self._next_check(entry.metadata, now)
            new = replace(held, entry=entry, check_at=check_at, scheduled_at=now, whole=whole)
            self._hold(new)
            self.generation += 1
        if whole is not None:  # GitHub may have confirmed it after the withdrawal
            self._show_anew(resource)

    def show_anew(self) -> None:
        """Remove what is withdrawn now from all that is held, and show again what no longer is.

        The quickest first: what is withdrawn as a whole. What cannot be judged is held no longer.
        """
        keys = self._withdrawn().times.keys()
        held = self.resources()
        for resource in sorted(held, key=lambda one: one.repository_key not in keys):
            try:
                self._show_anew(resource)
            except Exception:
                log.exception("unexpected error in what is held of %s", resource.name)
                self._drop(resource)

    def _drop(self, resource: Resource) -> None:
        with self._lock:
            self._tracked.pop(resource.id, None)
            dropped = self._on_demand.pop(resource.id, None)
            self._on_demand_bytes -= dropped.entry.held_bytes if dropped else 0
            self.generation += 1

    def _show_anew(self, resource: Resource) -> None:
        held = self.peek(resource)
        while held is not None:
            withdrawn, whole = self._withdrawn(), held.whole or held.entry
            shown = withdrawn.shown(resource, whole)  # may take a while
            with self._lock:
                again = self.peek(resource)
                if again is None or (shown is whole and again.whole is None):
                    return
                now_whole = again.whole or again.entry
                is_same = now_whole.metadata.version == whole.metadata.version
                if is_same and self._withdrawn() is withdrawn:
                    if shown is whole:
                        self._hold(replace(again, entry=now_whole, whole=None))
                    else:
                        new = relabelled(shown, now_whole.metadata)
                        self._hold(replace(again, entry=new, whole=now_whole))
                    self.generation += 1
                    return
                held = again

    def postpone(self, resource: Resource, check_at: float) -> None:
        """Set the time of the next check of a resource, if it is held."""
        with self._lock:
            held = self.peek(resource)
            if held is not None:
                scheduled_at = min(held.scheduled_at, check_at)
                self._hold(replace(held, check_at=check_at, scheduled_at=scheduled_at))

    def touch(self, scopes: Sequence[str], at: float) -> None:
        """Note an event of GitHub's: what it touches is stale from its time on.

        Whatever was read from Redis before the event, and is put here after it, is touched too.

        Args:
            scopes: of the event, as they are stored.
            at: Unix time in seconds.
        """
        with self._lock:
            self._events.note(scopes, at)
            self.generation += 1

    def forget(self, resource: Resource, version: int) -> None:
        """Drop the on-demand entry of a resource if it has this version or an older one."""
        with self._lock:
            held = self._on_demand.get(resource.id)
            if held is not None and held.entry.metadata.version <= version:
                del self._on_demand[resource.id]
                self._on_demand_bytes -= held.entry.held_bytes
                self.generation += 1

    def drop_unasked(self, now: float) -> None:
        """Drop on-demand entries that were not requested for longer than `keep`."""
        with self._lock:
            while self._on_demand:
                oldest = next(iter(self._on_demand.values()))
                if oldest.asked_at >= now - self._keep:
                    return
                self._drop_oldest()

    def resources(self) -> list[Resource]:
        """The resources of all held entries."""
        with self._lock:
            held = [*self._tracked.values(), *self._on_demand.values()]
        return [one.resource for one in held]

    def usage(self) -> tuple[Usage, Usage]:
        """Memory taken by tracked entries, and by on-demand entries."""
        with self._lock:
            tracked = [held.entry.held_bytes for held in self._tracked.values()]
            on_demand = Usage(len(self._on_demand), self._on_demand_bytes)
        return Usage(len(tracked), sum(tracked)), on_demand

    @property
    def on_demand_bytes(self) -> int:
        """Approximate size of all on-demand entries."""
        return self._on_demand_bytes

    def _bounded(self, resource: Resource, entry: Entry) -> Entry:
        metadata = bounded_by_event(entry.metadata, self._events.last(resource.event_scopes))
        return entry if metadata == entry.metadata else replace(entry, metadata=metadata)

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
