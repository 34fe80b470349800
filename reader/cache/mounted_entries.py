"""The entries of a process as they are served under the mount, each made once for a version.

Making one takes milliseconds for each megabyte. So it is never done in the event loop: the front
serves those that are held, and hands other requests over. A thread of Flask makes a small one, and
all who ask meanwhile wait for it. A large one is made by a thread of our own, with pauses, so that
hits stay quick; until it is held, it is rewritten as it is sent.
"""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import NamedTuple

from reader.cache.remembered_addresses import RememberedAddresses
from reader.cache.single_flight import SingleFlight
from reader.response.mounted_entry import (
    LARGE,
    is_rewritten,
    mounted,
    relabelled,
    with_address,
)
from reader.response.representation import Representation
from reader.response.rewriting import Rewriting
from shared import long_work
from shared.clock import Clock
from shared.encodings import gzipped
from shared.entry import Entry, Metadata
from shared.resources.resource import Resource
from shared.segmented_entry import NO_PIECES, PieceStore

# Seconds between two steps of making a large one.
_PAUSE = 0.0005
_MOST_PENDING = 16  # large ones that are to be made
_MOST_UNFIT = 64  # large ones that cannot be held
_PATIENCE = 10.0  # seconds for a small one
_UNUSED = 600.0  # seconds after which one is dropped

_Key = tuple[str, str]  # id of a resource, address


class Mounted(NamedTuple):
    """An entry for a request under the mount.

    Args:
        entry: with the tag that it has there.
        rewrite: replaces the addresses in what is sent of it; None if that is done.
    """

    entry: Entry
    rewrite: Callable[[Representation], Representation] | None = None


@dataclass(frozen=True, slots=True)
class _Form:
    """An entry under an address.

    Args:
        source: metadata of the entry as it is stored.
        entry: the same under the address.
        used_at: seconds of the monotonic clock.
    """

    source: Metadata
    entry: Entry
    used_at: float

    def is_of(self, metadata: Metadata) -> bool:
        """Whether it was made of the content that has this metadata."""
        return _is_same(self.source, metadata)


class MountedEntries:
    """Entries under the mount, of a few addresses, bounded in bytes (LRU); for any thread.

    Each counts for at least 2 kB (`Entry.held_bytes`), so that their number is bounded as well.

    Not a cache of its own: an entry is found in the local cache first, and only its very version is
    served here.

    Args:
        rewriting: of the origin's addresses.
        max_bytes: that they take together.
        clock: its `monotonic` and `sleep`.
        pieces: those of large lists under an address are kept there.
    """

    def __init__(
        self,
        rewriting: Rewriting,
        *,
        max_bytes: int,
        clock: Clock,
        pieces: PieceStore = NO_PIECES,
    ) -> None:
        self._rewriting = rewriting
        self._pieces = pieces
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = Lock()
        self._addresses = RememberedAddresses()
        self._forms: OrderedDict[_Key, _Form] = OrderedDict()
        self._bytes = 0
        self._flights: SingleFlight[Entry] = SingleFlight()
        self._pending: set[_Key] = set()
        self._unfit: dict[_Key, Metadata] = {}  # too large to be held: not to be made again
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="mount")

    def held(self, resource: Resource, entry: Entry, address: str) -> Entry | None:
        """An entry under an address if it is held in that form; quick.

        Args:
            resource: of the entry.
            entry: as the local cache holds it.
            address: that replaces the origin's.
        """
        if not is_rewritten(entry.metadata):
            return relabelled(entry, address)
        with self._lock:
            return self._held(resource, entry, address)

    def get(self, resource: Resource, entry: Entry, address: str) -> Mounted:
        """An entry under an address; it is made if it is small, and its address is remembered.

        Args:
            resource: of the entry.
            entry: as it was found.
            address: that replaces the origin's.
        """
        form = self.held(resource, entry, address)
        if form is not None:
            return Mounted(form)
        if address in self._addresses:
            if len(entry.body) <= LARGE:
                key = (resource.id, address, entry.metadata.version)
                make = partial(self._make, resource, entry, address)
                return Mounted(self._flights.do(key, make, timeout=_PATIENCE))
            self._make_later(resource, entry, address)
        rewrite = partial(
            with_address, address=address, rewriting=self._rewriting, pause=self._pause
        )
        return Mounted(relabelled(entry, address), rewrite)

    @property
    def bytes(self) -> int:
        """Approximate memory that all take."""
        return self._bytes

    def stop(self) -> None:
        """End the thread after its current work."""
        self._maker.shutdown(wait=False, cancel_futures=True)

    def _held(self, resource: Resource, entry: Entry, address: str) -> Entry | None:
        now = self._clock.monotonic()
        displaced = self._addresses.use(address, now)
        if displaced is not None:
            for key in [key for key in self._forms if key[1] == displaced]:
                self._drop(key)
        key = (resource.id, address)
        form = self._forms.get(key)
        if form is None or not form.is_of(entry.metadata):
            return None
        made = form.entry
        if form.source is not entry.metadata:  # confirmed since
            made = replace(made, metadata=entry.metadata)
        self._forms[key] = _Form(entry.metadata, made, now)
        self._forms.move_to_end(key)
        return made

    def _make(self, resource: Resource, entry: Entry, address: str) -> Entry:
        with self._lock:
            form = self._held(resource, entry, address)
        if form is not None:
            return form
        if len(entry.body) <= LARGE:
            made = mounted(entry, address, self._rewriting, pause=_no_pause)
        else:
            slowly = partial(long_work.run, gzipped)
            made = mounted(
                entry,
                address,
                self._rewriting,
                pause=self._pause,
                compress=slowly,
                pieces=self._pieces,
            )
        with self._lock:
            new = _Form(entry.metadata, made, self._clock.monotonic())
            self._put((resource.id, address), new)
        return made

    def _make_later(self, resource: Resource, entry: Entry, address: str) -> None:
        key = (resource.id, address)
        with self._lock:
            if key in self._pending or len(self._pending) >= _MOST_PENDING:
                return
            unfit = self._unfit.get(key)
            if unfit is not None and _is_same(unfit, entry.metadata):
                return
            self._pending.add(key)
        self._maker.submit(self._make_pending, resource, entry, address)

    def _make_pending(self, resource: Resource, entry: Entry, address: str) -> None:
        try:
            self._make(resource, entry, address)
        finally:
            with self._lock:
                self._pending.discard((resource.id, address))

    def _pause(self) -> None:
        self._clock.sleep(_PAUSE)

    def _put(self, key: _Key, form: _Form) -> None:
        if form.entry.held_bytes > self._max_bytes:
            self._unfit[key] = form.source
            if len(self._unfit) > _MOST_UNFIT:
                del self._unfit[next(iter(self._unfit))]
            return
        if key[1] not in self._addresses:
            return
        if key in self._forms:
            self._drop(key)
        self._forms[key] = form
        self._bytes += form.entry.held_bytes
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._forms)))
        while (oldest := next(iter(self._forms))) and self._is_unused(oldest, form.used_at):
            self._drop(oldest)

    def _is_unused(self, key: _Key, now: float) -> bool:
        return self._forms[key].used_at < now - _UNUSED

    def _drop(self, key: _Key) -> None:
        self._bytes -= self._forms.pop(key).entry.held_bytes


def _is_same(one: Metadata, other: Metadata) -> bool:
    """Whether both are of the same content."""
    return (one.version, one.etag) == (other.version, other.etag)


def _no_pause() -> None:
    """Do not pause."""
