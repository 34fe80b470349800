"""Removes damaged values from Redis, so that what they held is fetched anew.

A command that meets a value of another type fails, whatever script or pipeline it stands in; and a
mark that never expires would hold a resource back for ever. So one refresher at a time compares
all keys with the table of keys (`shared.key_table`): a value of another type is removed, a
value that has lost its expiry gets one. That is done once in `EVERY_S`, and soon after a command
has met a value of another type. Values that are unreadable, but of the right type, are the business
of the modules that read them: they count as absent.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import cast

from redis import Redis

from refresher.storage.set_back_clock import watch_clock
from shared import mended
from shared.key_table import FORMS, LOCKS, PATTERNS, KeyForm, form_of, our_job_of
from shared.mended import Damage, Mended
from shared.redis import keys
from shared.redis.scripts import Script
from shared.resources.resource import Resource
from shared.stored_numbers import count_of

log = logging.getLogger("refresher")

EVERY_S = 60.0  # seconds between two looks at all keys, in the fleet
_SOON_S = 5.0  # the same after a damaged value was met
_AT_ONCE = 500  # keys
_MOST_NAMED = 5  # in a line of the log

# Seconds for which the records of a job are kept that is not in the queue: longer than any job
# takes. Refreshers end those of the jobs that they take, so they were lost with the queue or with
# RQ's registry, or a plain worker of RQ's has taken the job.
_LOST_JOB_KEPT = 24 * 3600

# Removes values of another type, and gives an expiry to those that have lost it.
# KEYS: any. ARGV: for each key its type, and the milliseconds that it is kept without an expiry (0:
#       for ever), and the id of content that has an expiry only if it is not tracked, or of a job
#       that has one only if it is not queued (else empty); then the key of the tracked ids, and
#       that of the places in the queue.
# Returns of each key that was damaged its number, `type` or `expiry`, and the type that it had.
_MEND = Script("""
local found = {}
for at, key in ipairs(KEYS) do
  local expected, kept, id = ARGV[3 * at - 2], tonumber(ARGV[3 * at - 1]), ARGV[3 * at]
  local type = redis.call('TYPE', key).ok
  if type ~= 'none' and type ~= expected then
    redis.call('DEL', key)
    found[#found + 1] = {at, 'type', type}
  elseif type ~= 'none' and kept > 0 and redis.call('PTTL', key) == -1 then
    local tracked, places = ARGV[#ARGV - 1], ARGV[#ARGV]
    local is_tracked = false
    local is_job = string.sub(key, 1, 7) == 'rq:job:' or string.sub(key, 1, 14) == 'rq:executions:'
    if is_job then
      -- It is no damage, so it is not told of. No places, nothing queued.
      if redis.call('TYPE', places).ok ~= 'hash' or redis.call('HEXISTS', places, id) == 0 then
        redis.call('PEXPIRE', key, kept)
      end
    elseif id ~= '' then
      -- Without the record, anything may be tracked.
      is_tracked = redis.call('TYPE', tracked).ok ~= 'zset'
                   or redis.call('ZSCORE', tracked, id) ~= false
    end
    if not is_tracked and not is_job then
      redis.call('PEXPIRE', key, kept)
      found[#found + 1] = {at, 'expiry', type}
    end
  end
end
return found
""")


class Mender:
    """Mends one Redis; methods may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
        keep: seconds for which content that no client requests is kept.
        now: returns Unix time in seconds.
    """

    def __init__(self, redis: Redis, *, keep: float, now: Callable[[], float]) -> None:
        self._redis = redis
        self._keep = keep
        self._now = now
        self._is_due = False
        self._evicted: int | None = None

    def step(self, *, is_met: bool, masters: Collection[Redis] = ()) -> None:
        """Mend what is damaged, if a look at all keys is due; end what lives for too long.

        Args:
            is_met: a damaged value was met since the last step: then that is soon.
            masters: further Redises that hold locks.
        """
        if is_met:
            self._is_due = True
            self.mend([(form.name, form) for form in FORMS if form.is_single])
        pause = _SOON_S if self._is_due else EVERY_S
        if self._begin(pause):
            self._is_due = False
            self.mend_all()
            for master in masters:
                self._mend(master, list(_keys_of(master, LOCKS)))
            self._note_evictions()
        watch_clock(self._redis)

    def _note_evictions(self) -> None:
        """Log that Redis evicts content, at most once for each look at all keys."""
        evicted = count_of(str(self._redis.info("stats").get("evicted_keys", 0)))
        before, self._evicted = self._evicted, evicted
        if before is not None and evicted > before:
            log.warning(
                "Redis has evicted %d keys in a while: set maxmemory-policy noeviction, and raise "
                "maxmemory or lower ON_DEMAND_MAX_BYTES",
                evicted - before,
            )

    def _begin(self, pause: float) -> bool:
        """Whether this process looks at all keys now: none has begun to in so many seconds."""
        left = self._redis.pttl(keys.MENDING)
        # More is left only if it had lost its expiry, and was given another one.
        if left > 0 and 1000 * (EVERY_S - pause) < left <= 1000 * EVERY_S:
            return False
        self._redis.set(keys.MENDING, 1, px=int(1000 * EVERY_S))
        return True

    def mend_all(self) -> list[Mended]:
        """Look at all keys, and mend what is damaged."""
        found, pairs = [], self._keys()
        while some := list(islice(pairs, _AT_ONCE)):
            found += self.mend(some)
        return found

    def mend_for(self, resource: Resource) -> bool:
        """Mend what a refresh of a resource has met; whether anything was damaged.

        That is one of its keys or one of those of which there is one; if not, all are looked at.
        """
        pairs = [(key, form) for key in keys.all_of(resource) if (form := form_of(key))]
        found = self.mend([*pairs, *((one.name, one) for one in FORMS if one.is_single)])
        return bool(found or (self._begin(_SOON_S) and self.mend_all()))

    def mend(self, pairs: Sequence[tuple[str, KeyForm]]) -> list[Mended]:
        """Mend those of some keys that are damaged; log and record them.

        Args:
            pairs: keys with their forms.
        """
        found = self._mend(self._redis, pairs)
        if found:
            named = ", ".join(one.words for one in found[:_MOST_NAMED])
            more = f", and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
            log.warning("damaged values in Redis were mended: %s%s", named, more)
            with self._redis.pipeline(transaction=False) as pipeline:
                mended.add(pipeline, found)
                pipeline.execute()
        return found

    def _mend(self, redis: Redis, pairs: Sequence[tuple[str, KeyForm]]) -> list[Mended]:
        if not pairs:
            return []
        arguments: list[str | int] = []
        for key, form in pairs:
            arguments += [form.type, *self._expiry_of(key, form)]
        names = [key for key, _ in pairs]
        replies = _MEND(redis, names, [*arguments, keys.TRACKED, keys.PLACES])
        now = self._now()
        return [
            Mended(now, pairs[at - 1][1].name, Damage(damage.decode()), found.decode())
            for at, damage, found in cast(list[tuple[int, bytes, bytes]], replies)
        ]

    def _expiry_of(self, key: str, form: KeyForm) -> tuple[int, str]:
        """Milliseconds that it is kept without an expiry, and what may exempt it; 0 for ever."""
        if form.is_content:
            return int(1000 * self._keep), key.rpartition(":")[2]
        if form.is_job:
            job = our_job_of(key)
            return 1000 * _LOST_JOB_KEPT * bool(job), job
        return 1000 * (form.kept or 0), ""

    def _keys(self) -> Iterator[tuple[str, KeyForm]]:
        for pattern in PATTERNS:
            yield from _keys_of(self._redis, pattern)


def _keys_of(redis: Redis, pattern: str) -> Iterator[tuple[str, KeyForm]]:
    for name in redis.scan_iter(match=pattern, count=_AT_ONCE):
        key = cast(bytes, name).decode(errors="replace")
        form = form_of(key)
        if form is not None:
            yield key, form
