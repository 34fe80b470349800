"""Writing to Redis: each write is one script, which first checks the fencing token.

A write is refused unless its token is the newest that was handed out for the resource (Kleppmann,
How to do distributed locking, 2016; stricter than there, where only the newest *written* counts):

    A takes the lock, token 1 | A is stopped, its lock expires | B takes the lock, token 2
    A wakes up, writes with 1 -> refused, though B has written nothing yet

A Redis that lost its data knows no token, and refuses too.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from redis import Redis

from refresher.content.content import Content
from refresher.content.list_changes import item_changes
from refresher.content.page import Unchanged
from refresher.content.segmented_list import NOTHING_STORED
from refresher.storage import page_store
from refresher.storage.handled import NOTHING_HANDLED, Handled
from refresher.storage.list_writes import Written, changes_of_list, stored_list, whole_entry
from refresher.storage.on_demand_quota import OnDemandQuota
from refresher.storage.page_store import NOTHING_KNOWN, KnownPages
from refresher.storage.write_scripts import CONFIRM, DOUBT, DRAW, FAIL, FORGET, NOTE_LOOK, WRITE
from shared.changes import event_text
from shared.clock import FleetClock, seconds_of
from shared.failure import Failure
from shared.queueing import JOB_TIMEOUT
from shared.redis import keys
from shared.redis.scripts import Batch, Script
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.settings import Settings
from shared.suspicion import Suspicion

_DAY_MS = 24 * 3600 * 1000
_OTHERS_STORED = 2  # the reply of `WRITE` if other segments are stored than is believed
# Longer than any refresh; a token that Redis has forgotten only makes a write be refused.
_TOKEN_MS = int(1000 * 1.5 * JOB_TIMEOUT.total_seconds())


class EntryWriter:
    """The writing side of the Redis schema; methods may raise `redis.RedisError`.

    Each returns False if the write was refused: the lock was lost during the refresh.

    Args:
        redis: the fleet's Redis.
        settings: the lifetimes and the bounds of content.
        clock: is told Redis's time with each token that is drawn.
    """

    def __init__(
        self, redis: Redis, settings: Settings, *, clock: FleetClock | None = None
    ) -> None:
        self._redis = redis
        self._clock = FleetClock() if clock is None else clock
        self._settings = settings
        self._quota = OnDemandQuota(redis, max_bytes=settings.on_demand_max_bytes)
        self._parents = Catalogue.of(settings).repositories_above

    def draw_token(self, resource: Resource) -> int:
        """A new fencing token for a resource, greater than any before; take the lock first."""
        batch, sent_at = Batch(self._redis), self._clock.monotonic()
        self.add_draw(batch, resource)
        return self.drawn(batch.execute()[0], sent_at=sent_at)

    def add_draw(self, batch: Batch, resource: Resource) -> None:
        """Add the draw of a token to a batch; `drawn` parses its reply."""
        known = [keys.fence(resource), keys.entry(resource), keys.forgotten(resource)]
        batch.run(DRAW, known, [_TOKEN_MS])

    def drawn(self, reply: Sequence[bytes], *, sent_at: float) -> int:
        """The token in the reply to a draw.

        Args:
            reply: of the script.
            sent_at: `FleetClock.monotonic()` from before the batch was sent.
        """
        token, seconds, microseconds = map(int, reply)
        self._clock.heard(seconds_of((seconds, microseconds)), sent_at=sent_at)
        return token

    def store(
        self,
        resource: Resource,
        content: Content,
        known: KnownPages = NOTHING_KNOWN,
        *,
        token: int,
        now: float,
        handled: Handled = NOTHING_HANDLED,
        changed_at: float | None = None,
    ) -> bool:
        """Store an entry; the token becomes its version. All of it, or nothing.

        Args:
            resource: whose entry it is.
            content: what was read.
            known: the stored pages, so that those of a list that are unchanged are not written; if
                none are known, all that is stored is replaced, whether it is damaged or not.
            token: drawn for this refresh.
            now: Unix time in seconds when GitHub was asked.
            handled: the invalidation that the refresh has handled.
            changed_at: Unix time in seconds when the content last changed; None for now.
        """
        make = partial(
            content.entry,
            resource,
            version=token,
            now=now,
            lifetime=self._lifetime(resource),
            changed_at=changed_at,
            is_first=known.is_first and resource.tracked and content.shown is not None,
        )
        start = [*_common_arguments(resource, token, handled), self._keep_ms(resource)]
        told = [_event_of(resource, content, known, version=token, now=now), content.etag]
        told.append(str(self._settings.changes_kept))
        if content.segmented is None:
            return self._write(resource, start, told, whole_entry(resource, content, make())) == 1
        stored = stored_list(self._redis, resource) if known.pages else NOTHING_STORED
        written = self._write(
            resource, start, told, changes_of_list(resource, content, stored, known, make)
        )
        if written == _OTHERS_STORED:
            anew = changes_of_list(resource, content, NOTHING_STORED, NOTHING_KNOWN, make)
            written = self._write(resource, start, told, anew)
        return written == 1

    def _write(
        self, resource: Resource, start: Sequence[Any], told: Sequence[str], written: Written
    ) -> int:
        parts = [written.gone, written.pages_gone, _flat(written.segments), _flat(written.entry)]
        arguments = [*start, written.stored, *told]
        for part in parts:
            arguments += [len(part), *part]
        arguments += _flat(written.pages)
        return self._run(WRITE, resource, arguments, size=written.size)

    def confirm(
        self,
        resource: Resource,
        content: Content | Unchanged,
        known: KnownPages,
        *,
        token: int,
        now: float,
        handled: Handled = NOTHING_HANDLED,
    ) -> bool:
        """Move the freshness of unchanged content on; version and body stay.

        Args:
            resource: what is confirmed.
            content: what was read; its pages may have changed although the content did not,
                in items that are not shown.
            known: the stored pages, so that unchanged pages are not written again.
            token: drawn for this refresh.
            now: Unix time in seconds when the origin was asked.
            handled: as for `store`.
        """
        lifetime, gone, replaces = self._lifetime(resource), list[str](), False
        if isinstance(content, Content):
            lifetime, replaces = content.lifetime(lifetime), not known.pages
            fields = page_store.fields_of(content.pages, content.ids, resource.kind, known)
            gone = page_store.fields_of_gone(content.pages, known)
        else:
            heads = page_store.heads_of(content.pages)
            fields = {} if heads == known.heads else {"heads": heads}
        arguments = [
            *_common_arguments(resource, token, handled),
            self._keep_ms(resource),
            now,
            now + lifetime,
            int(replaces),
            len(gone),
            *gone,
            *_flat(fields),
        ]
        return self._run(CONFIRM, resource, arguments) == 1

    def record_failure(self, resource: Resource, failure: Failure, *, token: int) -> bool:
        """Keep the reason of a failure beside the entry, which stays as it is."""
        pause_ms = int(1000 * (failure.retry_at - failure.at))
        keep_ms = _DAY_MS if resource.tracked else self._keep_ms(resource)
        recorded = FAIL(
            self._redis,
            [*_common_keys(resource), keys.failure(resource)],
            [
                *_common_arguments(resource, token),
                pause_ms + keep_ms,
                failure.to_json(),
            ],
        )
        return bool(recorded)

    def record_suspicion(self, resource: Resource, suspicion: Suspicion, *, token: int) -> bool:
        """Keep what is not believed beside the entry, which stays as it is."""
        beside = (keys.failure, keys.reading, keys.suspicion)
        recorded = DOUBT(
            self._redis,
            [*_common_keys(resource), *(key(resource) for key in beside)],
            [*_common_arguments(resource, token), _DAY_MS, suspicion.to_json()],
        )
        return bool(recorded)

    def note_look(self, resource: Resource, handled: Handled, *, token: int) -> bool:
        """Keep that a look showed older content than the entry, which stays as it is."""
        beside = (keys.failure, keys.reading)
        noted = NOTE_LOOK(
            self._redis,
            [*_common_keys(resource), *(key(resource) for key in beside)],
            _common_arguments(resource, token, handled),
        )
        return bool(noted)

    def forget(self, resource: Resource) -> None:
        """Remove all that is stored of an on-demand resource; readers drop versions up to now."""
        token = self.draw_token(resource)
        stored = [*_content_keys(resource), keys.record(resource), keys.forgotten(resource)]
        arguments = [*_common_arguments(resource, token), _TOKEN_MS, _DAY_MS]
        FORGET(self._redis, stored, arguments)

    def _run(
        self,
        script: Script,
        resource: Resource,
        arguments: Sequence[Any],
        *,
        size: int | None = None,
    ) -> int:
        """Write or confirm an entry, and what depends on it, in one round trip; the script's reply.

        Entries of refreshers with other settings, and of those of an older release, expire, unless
        those still renew them.

        Args:
            script: `WRITE` or `CONFIRM`.
            resource: whose entry it is.
            arguments: of the script.
            size: bytes that are written; None if the entry is only confirmed.
        """
        batch = Batch(self._redis)
        feeds = [keys.FEED, keys.FEED_ON_DEMAND]
        feeds = feeds if resource.tracked else feeds[::-1]
        batch.run(script, [*_content_keys(resource), *feeds], arguments)
        for other in filter(None, (resource.other_form, resource.former_form)):
            for key in (keys.entry(other), keys.pages(other), keys.segments(other)):
                batch.pipeline.pexpire(key, _DAY_MS, nx=True)
        if not resource.tracked:
            self._quota.add(batch, resource, size, keep_ms=self._keep_ms(resource))
        stored, *replies = batch.execute()
        if not resource.tracked:
            self._quota.evict(replies[-1])
        return int(stored)

    def _lifetime(self, resource: Resource) -> float:
        settings = self._settings
        return settings.cache_ttl if resource.tracked else settings.on_demand_ttl

    def _keep_ms(self, resource: Resource) -> int:
        """Tracked content never expires; other content expires after so long without a refresh."""
        if resource.tracked:
            return 0
        is_parent = resource.path in self._parents
        held = self._settings.longest_held if is_parent else self._settings.on_demand_held
        return int(1000 * held)


def _event_of(
    resource: Resource, content: Content, known: KnownPages, *, version: int, now: float
) -> str:
    """What the change feed says when this content is stored."""
    fields = {
        "resource": resource.name,
        "form": resource.form,
        "version": version,
        "status": content.status,
        "etag": f'"{content.etag}"',
        "asked_at": now,
    }
    if resource.kind.is_named and content.status >= 400 and not known.was_shown:
        fields["quiet"] = True
    is_list = content.shown is not None
    changes = item_changes(known.pages, content.pages, resource.kind) if is_list else None
    return event_text(fields, changes, is_list=is_list)


def _common_keys(resource: Resource) -> list[str]:
    return [keys.fence(resource), keys.CHANGES, keys.invalidated_by(resource)]


def _content_keys(resource: Resource) -> list[str]:
    stored = [keys.entry(resource), keys.pages(resource), keys.failure(resource)]
    beside = [keys.reading(resource), keys.suspicion(resource), keys.segments(resource)]
    return [*_common_keys(resource), *stored, *beside]


def _common_arguments(
    resource: Resource, token: int, handled: Handled = NOTHING_HANDLED
) -> list[str | int]:
    return [token, keys.ANNOUNCE, resource.name, handled.to_json(resource)]


def _flat(fields: Mapping[Any, Any]) -> list[Any]:
    return [part for pair in fields.items() for part in pair]
