"""Guards of the product that a run can take out, to see that it finds what they keep away."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

from reader.cache.local_cache import Held, LocalCache
from reader.cache.synchronizer import Synchronizer
from refresher.content import list_reader
from refresher.content.collapse import Judgement
from refresher.deliveries.healer import Healer
from refresher.drift.checks import DriftChecks
from refresher.lock.refresh_lock import HeldLock
from refresher.look_again import LookAgain
from refresher.second_look import SecondLook
from refresher.storage import entry_writer, mending, write_scripts
from shared.entry import Entry, Metadata
from shared.looks import Looks
from shared.queueing import RefreshQueue
from shared.redis.entry_state import EntryState
from shared.redis.scripts import Script
from shared.resources.resource import Resource
from shared.withdrawal import Withdrawals


def _without_fencing() -> Iterator[Any]:
    check = write_scripts._CHECK
    for name in ("WRITE", "CONFIRM", "FAIL", "DOUBT", "NOTE_LOOK"):
        script = getattr(entry_writer, name)
        yield patch.object(entry_writer, name, Script(script.text.replace(check, "")))
    yield patch.object(HeldLock, "is_lost", property(lambda _: False))


def _replaced(owner: Any, name: str, value: Any) -> Callable[[], Iterator[Any]]:
    def patches() -> Iterator[Any]:
        yield patch.object(owner, name, value)

    return patches


def _put_anything(
    self: LocalCache, resource: Resource, entry: Entry, whole: Entry | None, now: float
) -> Entry:
    """`LocalCache._put`, without its first lines."""
    check_at = self._next_check(entry.metadata, now)
    self._hold(Held(resource, entry, check_at, now, now, whole))
    self.generation += 1
    return entry


def _not_invalidated(self: EntryState, now: float) -> bool:
    return False


GUARDS: Final[dict[str, tuple[str, Callable[[], Iterator[Any]]]]] = {
    "fencing": ("a write needs the newest token", _without_fencing),
    "newer-than": (
        "a reader replaces an entry only by a newer one",
        _replaced(LocalCache, "_put", _put_anything),
    ),
    "second-look": (
        "a list that lost much is not believed at once",
        _replaced(SecondLook, "judge", lambda *_, **__: Judgement()),
    ),
    "lost-list": (
        "a list that Redis has lost is replaced by a much shorter one only after a second look",
        _replaced(Metadata, "may_lack_items_of", lambda *_: False),
    ),
    "look-again": (
        "after an event a resource is looked at again",
        _replaced(Looks, "after", lambda *_, **__: None),
    ),
    "older-look": (
        "a look replaces no newer content by older",
        _replaced(LookAgain, "is_older", lambda *_: False),
    ),
    "withdrawal": (
        "a repository that was made private is shown no more",
        _replaced(Withdrawals, "shown", lambda _, __, entry: entry),
    ),
    "losses": (
        "announcements that are lost are found",
        _replaced(Synchronizer, "_find_losses", lambda *_: None),
    ),
    "invalidation": (
        "what an event touches is stale",
        _replaced(EntryState, "is_invalidated", _not_invalidated),
    ),
    "deliveries": (
        "deliveries that were lost are asked for again",
        _replaced(Healer, "step", lambda _: None),
    ),
    "set-back": (
        "nothing lives longer because Redis's clock was set back",
        _replaced(mending, "watch_clock", lambda _: 0.0),
    ),
    "readings": (
        "a list that changes while it is read is read again",
        _replaced(list_reader, "is_settled", lambda *_, **__: True),
    ),
    "drift": (
        "what GitHub has confirmed wrongly is found",
        _replaced(DriftChecks, "step", lambda _: 60.0),
    ),
    "mark": (
        "an event leaves a mark that only a later refresh removes",
        _replaced(RefreshQueue, "mark", lambda *_, **__: None),
    ),
}


@contextmanager
def without(names: frozenset[str]) -> Iterator[None]:
    """Take guards out inside the block."""
    with ExitStack() as stack:
        for name in sorted(names):
            for one in GUARDS[name][1]():
                stack.enter_context(one)
        yield
