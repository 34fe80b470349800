"""Writing to Redis: each write is one script, which first checks the fencing token.

A write is refused unless its token is the newest that was handed out for the resource (Kleppmann,
How to do distributed locking, 2016; stricter than there, where only the newest *written* counts):

    A takes the lock, token 1 | A is stopped, its lock expires | B takes the lock, token 2
    A wakes up, writes with 1 -> refused, though B has written nothing yet

A Redis that lost its data knows no token, and refuses too.
"""

from collections.abc import Mapping
from typing import cast

from redis import Redis

from refresher.content.content import Content
from refresher.content.page import Unchanged
from refresher.storage import page_store
from refresher.storage.on_demand_quota import OnDemandQuota
from refresher.storage.page_store import KnownPages
from shared.clock import FleetClock, seconds_of
from shared.entry import Entry, content_fields
from shared.failure import Failure
from shared.queueing import JOB_TIMEOUT
from shared.redis import keys
from shared.resources.resource import Resource
from shared.settings import Settings

_DAY_MS = 24 * 3600 * 1000
# Longer than any refresh; a token that Redis has forgotten only makes a write be refused.
_TOKEN_MS = int(1000 * 1.5 * JOB_TIMEOUT.total_seconds())

# Hands out a fencing token that is greater than any before, even after Redis lost its data:
# the microseconds of Redis's clock, or one more than the last token if the clock was set back. The
# last token is also known from what it wrote: the fence is forgotten earlier than the entry.
# KEYS: fence, entry, forgotten. ARGV: milliseconds to remember it.
# Returns the token as a string, and Redis's time as `TIME` gives it.
_DRAW = """
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
"""

# What every write begins and ends with. KEYS: fence, changes, invalidated. ARGV: token, channel,
# name, and the invalidation that there was when the refresh began (empty for none): it is handled.
_CHECK = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
"""
_HANDLED = """
if ARGV[4] ~= '' and redis.call('GET', KEYS[3]) == ARGV[4] then redis.call('DEL', KEYS[3]) end
"""
_ANNOUNCE = """
local number = redis.call('INCR', KEYS[2])
redis.call('PUBLISH', ARGV[2], cjson.encode({name = ARGV[3], number = number}))
return 1
"""


def _keep(key: int) -> str:
    """Gives the key of that number the expiry in ARGV[5], or none for 0."""
    return f"""
if ARGV[5] == '0' then redis.call('PERSIST', KEYS[{key}])
else redis.call('PEXPIRE', KEYS[{key}], ARGV[5]) end
"""


# Replaces an entry and its pages.
# KEYS: fence, changes, invalidated, entry, pages, failure.
# ARGV: token, channel, name, invalidation, milliseconds to keep (0: for ever), number of the
#       entry's fields and values, those, then the pages' fields and values.
_WRITE = f"""
{_CHECK}
local count = tonumber(ARGV[6])
redis.call('DEL', KEYS[4], KEYS[5], KEYS[6])
redis.call('HSET', KEYS[4], unpack(ARGV, 7, 6 + count))
{_keep(4)}
for at = 7 + count, #ARGV, 2 do redis.call('HSET', KEYS[5], ARGV[at], ARGV[at + 1]) end
{_keep(5)}
{_HANDLED}
{_ANNOUNCE}
"""

# Moves the freshness of an unchanged entry on; 0 too when the entry is gone.
# KEYS: fence, changes, invalidated, entry, pages, failure.
# ARGV: token, channel, name, invalidation, milliseconds to keep (0: for ever), validated_at,
#       fresh_until, whether the pages are replaced, then those of their fields and values that
#       changed.
_CONFIRM = f"""
{_CHECK}
if redis.call('EXISTS', KEYS[4]) == 0 then return 0 end
redis.call('HSET', KEYS[4], 'validated_at', ARGV[6], 'fresh_until', ARGV[7],
           'confirmed_by', ARGV[1])
redis.call('DEL', KEYS[6])
if ARGV[8] == '1' then redis.call('DEL', KEYS[5]) end
{_keep(4)}
for at = 9, #ARGV, 2 do redis.call('HSET', KEYS[5], ARGV[at], ARGV[at + 1]) end
{_keep(5)}
{_HANDLED}
{_ANNOUNCE}
"""

# Records a failure beside the entry, which is not touched.
# KEYS: fence, changes, invalidated, failure.
# ARGV: token, channel, name, invalidation, milliseconds to keep, the record.
_FAIL = f"""
{_CHECK}
redis.call('SET', KEYS[4], ARGV[6], 'PX', ARGV[5])
{_ANNOUNCE}
"""

# Forgets a resource, and refuses whatever a refresh that is under way would still write.
# KEYS: fence, changes, invalidated, entry, pages, failure, record, forgotten.
# ARGV: token, channel, name, nothing, milliseconds to remember the token, and that it was
#       forgotten.
_FORGET = f"""
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[5])
redis.call('DEL', KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7])
redis.call('SET', KEYS[8], ARGV[1], 'PX', ARGV[6])
{_ANNOUNCE}
"""


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
        self._draw = redis.register_script(_DRAW)
        self._write = redis.register_script(_WRITE)
        self._confirm = redis.register_script(_CONFIRM)
        self._fail = redis.register_script(_FAIL)
        self._forget = redis.register_script(_FORGET)
        self._quota = OnDemandQuota(
            redis, max_bytes=settings.on_demand_max_bytes, keep_ms=self._on_demand_ms
        )

    def draw_token(self, resource: Resource) -> int:
        """A new fencing token for a resource, greater than any before; take the lock first."""
        sent_at = self._clock.monotonic()
        known = [keys.fence(resource), keys.entry(resource), keys.forgotten(resource)]
        token, seconds, microseconds = cast(list[bytes], self._draw(keys=known, args=[_TOKEN_MS]))
        self._clock.heard(seconds_of((int(seconds), int(microseconds))), sent_at=sent_at)
        return int(token)

    def store(
        self,
        resource: Resource,
        content: Content,
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
            token: drawn for this refresh.
            now: Unix time in seconds when GitHub was asked.
            invalidated_by: `EntryState.invalidated_by` from before GitHub was asked: the refresh
                has handled that invalidation.
            changed_at: Unix time in seconds when the content last changed; None for now.
        """
        lifetime = self._lifetime(resource)
        entry = content.entry(
            resource, version=token, now=now, lifetime=lifetime, changed_at=changed_at
        )
        fields = _entry_fields(entry) | {"name": resource.name}
        entry_arguments = [part for pair in fields.items() for part in pair]
        pages = page_store.fields_of(content.pages, content.ids)
        stored = self._write(
            keys=_content_keys(resource),
            args=[
                *_common_arguments(resource, token, invalidated_by),
                self._keep_ms(resource),
                len(entry_arguments),
                *entry_arguments,
                *_flat(pages),
            ],
        )
        if stored:
            self._let_expire(resource.other_form)
        if stored and not resource.tracked:
            bodies = (part for part in entry_arguments if isinstance(part, bytes))
            self._quota.take(resource, sum(map(len, bodies)) + sum(map(len, pages.values())))
        return bool(stored)

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
        confirmed = self._confirm(
            keys=_content_keys(resource),
            args=[
                *_common_arguments(resource, token, invalidated_by),
                self._keep_ms(resource),
                now,
                now + self._lifetime(resource),
                int(replaces),
                *_flat(fields),
            ],
        )
        if confirmed:
            self._let_expire(resource.other_form)
        if confirmed and not resource.tracked:
            self._quota.take(resource)
        return bool(confirmed)

    def record_failure(self, resource: Resource, failure: Failure, *, token: int) -> bool:
        """Keep the reason of a failure beside the entry, which stays as it is."""
        pause_ms = int(1000 * (failure.retry_at - failure.at))
        keep_ms = _DAY_MS if resource.tracked else self._keep_ms(resource)
        recorded = self._fail(
            keys=[*_common_keys(resource), keys.failure(resource)],
            args=[
                *_common_arguments(resource, token, None),
                pause_ms + keep_ms,
                failure.to_json(),
            ],
        )
        return bool(recorded)

    def forget(self, resource: Resource) -> None:
        """Remove all that is stored of an on-demand resource; readers drop versions up to now."""
        token = self.draw_token(resource)
        stored = [*_content_keys(resource), keys.record(resource), keys.forgotten(resource)]
        self._forget(
            keys=stored,
            args=[*_common_arguments(resource, token, None), _TOKEN_MS, _DAY_MS],
        )

    def _let_expire(self, other: Resource) -> None:
        """Let entries of refreshers with other settings expire, unless those still renew them."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in (keys.entry(other), keys.pages(other)):
                pipeline.pexpire(key, _DAY_MS, nx=True)
            pipeline.execute()

    def _lifetime(self, resource: Resource) -> float:
        settings = self._settings
        return settings.cache_ttl if resource.tracked else settings.on_demand_ttl

    def _keep_ms(self, resource: Resource) -> int:
        """Tracked content never expires; other content expires after so long without a refresh."""
        return 0 if resource.tracked else self._on_demand_ms

    @property
    def _on_demand_ms(self) -> int:
        return int(1000 * (self._settings.on_demand_keep + self._settings.on_demand_ttl))


def _common_keys(resource: Resource) -> list[str]:
    return [keys.fence(resource), keys.CHANGES, keys.invalidated_by(resource)]


def _content_keys(resource: Resource) -> list[str]:
    stored = [keys.entry(resource), keys.pages(resource), keys.failure(resource)]
    return [*_common_keys(resource), *stored]


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


def _flat(fields: Mapping[str, bytes]) -> list[str | bytes]:
    return [part for pair in fields.items() for part in pair]
