"""Writing to Redis: each write is one script, which first checks the fencing token.

A write is refused unless its token is the newest that was handed out for the resource (Kleppmann,
How to do distributed locking, 2016; stricter than there, where only the newest *written* counts):

    A takes the lock, token 1 | A is stopped, its lock expires | B takes the lock, token 2
    A wakes up, writes with 1 -> refused, though B has written nothing yet

A Redis that lost its data knows no token, and refuses too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from redis import Redis

from refresher.content.content import Content
from refresher.content.page import Page, Unchanged
from refresher.content.segmented_list import NOTHING_STORED, Stored
from refresher.storage import page_store
from refresher.storage.on_demand_quota import OnDemandQuota
from refresher.storage.page_store import KnownPages
from shared.clock import FleetClock, seconds_of
from shared.entry import Entry, content_fields, digest_field, manifests_from
from shared.errors import UnreadableError
from shared.failure import Failure
from shared.queueing import JOB_TIMEOUT
from shared.redis import keys
from shared.redis.scripts import Batch, Script
from shared.resources.resource import Resource
from shared.settings import Settings
from shared.suspicion import Suspicion

_DAY_MS = 24 * 3600 * 1000
_NOTHING_KNOWN = KnownPages()
_OTHERS_STORED = 2  # the reply of `_WRITE` if other segments are stored than is believed
# Longer than any refresh; a token that Redis has forgotten only makes a write be refused.
_TOKEN_MS = int(1000 * 1.5 * JOB_TIMEOUT.total_seconds())

# Hands out a fencing token that is greater than any before, even after Redis lost its data:
# the microseconds of Redis's clock, or one more than the last token if the clock was set back. The
# last token is also known from what it wrote: the fence is forgotten earlier than the entry.
# KEYS: fence, entry, forgotten. ARGV: milliseconds to remember it.
# Returns the token as a string, and Redis's time as `TIME` gives it.
_DRAW = Script("""
local function token_of(text)
  local token = tonumber(text or '')
  -- A double holds no greater integers; what is greater is damage.
  if token and token >= 0 and token < 9007199254740992 then return token end
  return 0
end
local clock = redis.call('TIME')
local token = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local known = redis.call('HMGET', KEYS[2], 'confirmed_by', 'meta')
local version = known[2] and string.match(known[2], '"version": *(%d+)')
for _, text in ipairs({redis.call('GET', KEYS[1]), known[1], version or false,
                       redis.call('GET', KEYS[3])}) do
  token = math.max(token, token_of(text) + 1)
end
local text = string.format('%.0f', token)
redis.call('SET', KEYS[1], text, 'PX', ARGV[1])
return {text, clock[1], clock[2]}
""")

# What every write begins and ends with. KEYS: fence, changes, invalidated. ARGV: token, channel,
# name, and the invalidation that there was when the refresh began (empty for none): it is handled.
_CHECK = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
"""
_HANDLED = """
if ARGV[4] ~= '' and redis.call('GET', KEYS[3]) == ARGV[4] then redis.call('DEL', KEYS[3]) end
"""
_ANNOUNCE = """
local number = redis.pcall('INCR', KEYS[2])
if type(number) ~= 'number' then  -- it was damaged; readers see that it went back
  number = 1
  redis.call('SET', KEYS[2], number)
end
redis.call('PUBLISH', ARGV[2], cjson.encode({name = ARGV[3], number = number}))
return 1
"""


def _keep(key: int) -> str:
    """Gives the key of that number the expiry in ARGV[5], or none for 0."""
    return f"""
if ARGV[5] == '0' then redis.call('PERSIST', KEYS[{key}])
else redis.call('PEXPIRE', KEYS[{key}], ARGV[5]) end
"""


# Replaces an entry and its pages, or of a list only what has changed of its segments and pages.
# KEYS: fence, changes, invalidated, entry, pages, failure, reading, suspicion, segments.
# ARGV: token, channel, name, invalidation, milliseconds to keep (0: for ever), number of segments
#       that are stored (-1 to replace all segments and pages), number of segments to remove, those,
#       number of pages to remove, those, number of the segments' names and bodies, those, number of
#       the entry's fields and values, those, then the pages' fields and values.
# Returns 2 if other segments are stored than is believed: then all have to be replaced.
_WRITE = Script(f"""
{_CHECK}
local at = 7
local function each(key, command, step)
  local last = at + tonumber(ARGV[at])
  for one = at + 1, last, step do redis.call(command, key, unpack(ARGV, one, one + step - 1)) end
  at = last + 1
end
if ARGV[6] == '-1' then redis.call('DEL', KEYS[5], KEYS[9])
elseif redis.pcall('HLEN', KEYS[9]) ~= tonumber(ARGV[6]) then return 2 end
redis.call('DEL', KEYS[4], KEYS[6], KEYS[7], KEYS[8])
each(KEYS[9], 'HDEL', 1)
each(KEYS[5], 'HDEL', 1)
each(KEYS[9], 'HSET', 2)
{_keep(9)}
each(KEYS[4], 'HSET', 2)
{_keep(4)}
for one = at, #ARGV, 2 do redis.call('HSET', KEYS[5], ARGV[one], ARGV[one + 1]) end
{_keep(5)}
{_HANDLED}
{_ANNOUNCE}
""")

# Moves the freshness of an unchanged entry on; 0 too when the entry is gone.
# KEYS: fence, changes, invalidated, entry, pages, failure, reading, suspicion, segments.
# ARGV: token, channel, name, invalidation, milliseconds to keep (0: for ever), validated_at,
#       fresh_until, whether the pages are replaced, then those of their fields and values that
#       changed.
_CONFIRM = Script(f"""
{_CHECK}
if redis.call('EXISTS', KEYS[4]) == 0 then return 0 end
redis.call('HSET', KEYS[4], 'validated_at', ARGV[6], 'fresh_until', ARGV[7],
           'confirmed_by', ARGV[1])
redis.call('DEL', KEYS[6], KEYS[7], KEYS[8])
if ARGV[8] == '1' then redis.call('DEL', KEYS[5]) end
{_keep(4)}
{_keep(9)}
for at = 9, #ARGV, 2 do redis.call('HSET', KEYS[5], ARGV[at], ARGV[at + 1]) end
{_keep(5)}
{_HANDLED}
{_ANNOUNCE}
""")

# Records a failure beside the entry, which is not touched.
# KEYS: fence, changes, invalidated, failure.
# ARGV: token, channel, name, invalidation, milliseconds to keep, the record.
_FAIL = Script(f"""
{_CHECK}
redis.call('SET', KEYS[4], ARGV[6], 'PX', ARGV[5])
{_ANNOUNCE}
""")

# Records a suspicion beside the entry, which is not touched. GitHub has answered, so a failure from
# before is over; the second look requests every page anew.
# KEYS: fence, changes, invalidated, failure, reading, suspicion.
# ARGV: token, channel, name, nothing, milliseconds to keep, the record.
_DOUBT = Script(f"""
{_CHECK}
redis.call('DEL', KEYS[4], KEYS[5])
redis.call('SET', KEYS[6], ARGV[6], 'PX', ARGV[5])
{_ANNOUNCE}
""")

# Forgets a resource, and refuses whatever a refresh that is under way would still write.
# KEYS: fence, changes, invalidated, entry, pages, failure, reading, suspicion, segments, record,
#       forgotten.
# ARGV: token, channel, name, nothing, milliseconds to remember the token, and that it was
#       forgotten.
_FORGET = Script(f"""
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[5])
redis.call('DEL', KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10])
redis.call('SET', KEYS[11], ARGV[1], 'PX', ARGV[6])
{_ANNOUNCE}
""")


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
        self._quota = OnDemandQuota(
            redis, max_bytes=settings.on_demand_max_bytes, keep_ms=self._on_demand_ms
        )

    def draw_token(self, resource: Resource) -> int:
        """A new fencing token for a resource, greater than any before; take the lock first."""
        batch, sent_at = Batch(self._redis), self._clock.monotonic()
        self.add_draw(batch, resource)
        return self.drawn(batch.execute()[0], sent_at=sent_at)

    def add_draw(self, batch: Batch, resource: Resource) -> None:
        """Add the draw of a token to a batch; `drawn` parses its reply."""
        known = [keys.fence(resource), keys.entry(resource), keys.forgotten(resource)]
        batch.run(_DRAW, known, [_TOKEN_MS])

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
        known: KnownPages = _NOTHING_KNOWN,
        *,
        token: int,
        now: float,
        invalidated_by: str | None = None,
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
            invalidated_by: `EntryState.invalidated_by` from before GitHub was asked: the refresh
                has handled that invalidation.
            changed_at: Unix time in seconds when the content last changed; None for now.
        """
        make = partial(
            content.entry,
            resource,
            version=token,
            now=now,
            lifetime=self._lifetime(resource),
            changed_at=changed_at,
        )
        start = [*_common_arguments(resource, token, invalidated_by), self._keep_ms(resource)]
        if content.segmented is None:
            entry, pages = make(), page_store.fields_of(content.pages, content.ids)
            return self._write(resource, start, _whole(entry, resource, pages)) == 1
        stored = self._stored(resource) if known.pages else NOTHING_STORED
        changes = self._changes(resource, content, stored, known, make)
        written = self._write(resource, start, changes)
        if written == _OTHERS_STORED:
            whole = self._changes(resource, content, NOTHING_STORED, _NOTHING_KNOWN, make)
            written = self._write(resource, start, whole)
        return written == 1

    def _stored(self, resource: Resource) -> Stored:
        """What is stored of a list."""
        fields = cast(dict[bytes, bytes], self._redis.hgetall(keys.entry(resource)))
        try:
            manifests = manifests_from(fields)
        except UnreadableError:
            return NOTHING_STORED
        digests = {name: fields.get(digest_field(name).encode(), b"") for name in manifests}
        return Stored(manifests, digests)

    def _changes(
        self,
        resource: Resource,
        content: Content,
        stored: Stored,
        known: KnownPages,
        make: Callable[..., Entry],
    ) -> "_Written":
        """What is written of a list of several segments.

        Args:
            resource: the list.
            content: to store.
            stored: what is stored; nothing to replace all.
            known: the stored pages.
            make: makes the entry.
        """
        assert content.segmented is not None
        segmentation, before = content.segmented.segmentation(stored), stored.segments
        fields = _entry_fields(make(segmentation=segmentation)) | {"name": resource.name}
        fields |= {digest_field(name): one for name, one in segmentation.digests.items()}
        if not before:
            pages = page_store.fields_of(content.pages, content.ids)
            return _Written(-1, [], [], segmentation.new, fields, pages)
        return _Written(
            stored=len(before),
            gone=sorted(before.keys() - segmentation.names),
            pages_gone=_numbers_after(content.pages, known),
            segments=segmentation.new,
            entry=fields,
            pages=page_store.fields_of(content.pages, content.ids, known.pages),
            kept=sum(one.packed_size for one in before.values()),
        )

    def _write(self, resource: Resource, start: Sequence[Any], written: "_Written") -> int:
        parts = [written.gone, written.pages_gone, _flat(written.segments), _flat(written.entry)]
        arguments = [*start, written.stored]
        for part in parts:
            arguments += [len(part), *part]
        return self._run(_WRITE, resource, [*arguments, *_flat(written.pages)], size=written.size)

    def confirm(
        self,
        resource: Resource,
        content: Content | Unchanged,
        known: KnownPages,
        *,
        token: int,
        now: float,
        invalidated_by: str | None = None,
    ) -> bool:
        """Move the freshness of unchanged content on; version and body stay.

        Args:
            resource: what is confirmed.
            content: what was read; its pages may have changed although the content did not,
                in items that are not shown.
            known: the stored pages, so that unchanged pages are not written again.
            token: drawn for this refresh.
            now: Unix time in seconds when the origin was asked.
            invalidated_by: as for `store`.
        """
        replaces = isinstance(content, Content)
        if isinstance(content, Content):
            fields = page_store.fields_of(content.pages, content.ids)
        else:
            heads = page_store.heads_of(content.pages)
            fields = {} if heads == known.heads else {"heads": heads}
        lifetime = self._lifetime(resource)
        if isinstance(content, Content):
            lifetime = content.lifetime(lifetime)
        arguments = [
            *_common_arguments(resource, token, invalidated_by),
            self._keep_ms(resource),
            now,
            now + lifetime,
            int(replaces),
            *_flat(fields),
        ]
        return self._run(_CONFIRM, resource, arguments) == 1

    def record_failure(self, resource: Resource, failure: Failure, *, token: int) -> bool:
        """Keep the reason of a failure beside the entry, which stays as it is."""
        pause_ms = int(1000 * (failure.retry_at - failure.at))
        keep_ms = _DAY_MS if resource.tracked else self._keep_ms(resource)
        recorded = _FAIL(
            self._redis,
            [*_common_keys(resource), keys.failure(resource)],
            [
                *_common_arguments(resource, token, None),
                pause_ms + keep_ms,
                failure.to_json(),
            ],
        )
        return bool(recorded)

    def record_suspicion(self, resource: Resource, suspicion: Suspicion, *, token: int) -> bool:
        """Keep what is not believed beside the entry, which stays as it is."""
        beside = (keys.failure, keys.reading, keys.suspicion)
        recorded = _DOUBT(
            self._redis,
            [*_common_keys(resource), *(key(resource) for key in beside)],
            [*_common_arguments(resource, token, None), _DAY_MS, suspicion.to_json()],
        )
        return bool(recorded)

    def forget(self, resource: Resource) -> None:
        """Remove all that is stored of an on-demand resource; readers drop versions up to now."""
        token = self.draw_token(resource)
        stored = [*_content_keys(resource), keys.record(resource), keys.forgotten(resource)]
        arguments = [*_common_arguments(resource, token, None), _TOKEN_MS, _DAY_MS]
        _FORGET(self._redis, stored, arguments)

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
            script: `_WRITE` or `_CONFIRM`.
            resource: whose entry it is.
            arguments: of the script.
            size: bytes that are written; None if the entry is only confirmed.
        """
        batch = Batch(self._redis)
        batch.run(script, _content_keys(resource), arguments)
        for other in filter(None, (resource.other_form, resource.former_form)):
            for key in (keys.entry(other), keys.pages(other), keys.segments(other)):
                batch.pipeline.pexpire(key, _DAY_MS, nx=True)
        if not resource.tracked:
            self._quota.add(batch, resource, size)
        stored, *replies = batch.execute()
        if not resource.tracked:
            self._quota.evict(replies[-1])
        return int(stored)

    def _lifetime(self, resource: Resource) -> float:
        settings = self._settings
        return settings.cache_ttl if resource.tracked else settings.on_demand_ttl

    def _keep_ms(self, resource: Resource) -> int:
        """Tracked content never expires; other content expires after so long without a refresh."""
        return 0 if resource.tracked else self._on_demand_ms

    @property
    def _on_demand_ms(self) -> int:
        return int(1000 * (self._settings.on_demand_keep + self._settings.on_demand_ttl))


@dataclass(frozen=True)
class _Written:
    """The arguments of `_WRITE` that differ from one content to the next.

    Args:
        stored: number of segments that are believed to be stored; -1 to replace everything.
        gone: names of segments to remove.
        pages_gone: fields of pages to remove.
        segments: bodies of new segments, by name.
        entry: the fields of the entry.
        pages: the fields of the pages.
        kept: bytes that are stored already, about.
    """

    stored: int
    gone: Sequence[bytes]
    pages_gone: Sequence[str]
    segments: Mapping[bytes, bytes]
    entry: Mapping[str, Any]
    pages: Mapping[str, bytes]
    kept: int = 0

    @property
    def size(self) -> int:
        """Bytes that are stored afterwards, about."""
        fields = [*self.segments.values(), *self.entry.values(), *self.pages.values()]
        return self.kept + sum(len(value) for value in fields if isinstance(value, bytes))


def _whole(entry: Entry, resource: Resource, pages: Mapping[str, bytes]) -> _Written:
    """What is written of an entry that has no segments."""
    return _Written(-1, [], [], {}, _entry_fields(entry) | {"name": resource.name}, pages)


def _numbers_after(pages: Sequence[Page], known: KnownPages) -> list[str]:
    """The fields of the pages that a list has no longer."""
    numbers = range(len(pages) + 1, len(known.pages) + 1)
    return [field for number in numbers for field in (str(number), f"index:{number}")]


def _common_keys(resource: Resource) -> list[str]:
    return [keys.fence(resource), keys.CHANGES, keys.invalidated_by(resource)]


def _content_keys(resource: Resource) -> list[str]:
    stored = [keys.entry(resource), keys.pages(resource), keys.failure(resource)]
    beside = [keys.reading(resource), keys.suspicion(resource), keys.segments(resource)]
    return [*_common_keys(resource), *stored, *beside]


def _entry_fields(entry: Entry) -> dict[str, bytes | float | str]:
    """All fields of an entry's hash except its name."""
    metadata = entry.metadata
    return {
        **content_fields(entry),
        "validated_at": metadata.validated_at,
        "fresh_until": metadata.fresh_until,
        "confirmed_by": str(metadata.confirmed_by),
    }


def _common_arguments(
    resource: Resource, token: int, invalidated_by: str | None
) -> list[str | int]:
    return [token, keys.ANNOUNCE, resource.name, invalidated_by or ""]


def _flat(fields: Mapping[Any, Any]) -> list[Any]:
    return [part for pair in fields.items() for part in pair]
