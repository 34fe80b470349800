"""The withdrawals in Redis, and what a process knows of them.

A withdrawal is remembered for `REMEMBER_S`, longer than anything from before it is held without
being fetched anew. There are at most `MOST`; the oldest give way. Each change has a new revision,
which everybody reads along with each entry: what is read from Redis after a repository was
withdrawn is never served without knowing of it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, cast

from redis import Redis
from redis.client import Pipeline

from shared.redis import keys
from shared.redis.scripts import Script, is_of_wrong_type
from shared.time_bounds import TOLERANCE, time_of
from shared.withdrawal import Withdrawals

REMEMBER_S = 30 * 24 * 3600
MOST = 10_000  # names and ids, of about 100 bytes in Redis

# Withdraws repositories, or ends withdrawals, and announces it. Each has `time updated_at`: the
# latter is what the event says of the repository, so that an event that arrives late ends none.
# KEYS: withdrawn, its revision, repositories that were shown again, the counter of announcements.
# ARGV: channel, seconds to remember, most, updated_at (may be empty), "1" to withdraw or "0" to
#       end, then the names and ids.
# Returns how many names and ids were withdrawn, or are no longer.
_CHANGE = Script("""
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
if type(redis.pcall('HLEN', KEYS[1])) ~= 'number' then redis.call('DEL', KEYS[1]) end
local changed = 0
for at = 6, #ARGV do
  local before = redis.call('HGET', KEYS[1], ARGV[at])
  local said = before and string.match(before, '^%S+ (%S+)$') or ''
  if ARGV[5] == '1' then
    redis.call('HSET', KEYS[1], ARGV[at], string.format('%.6f ', now) .. ARGV[4])
    changed = changed + 1
  elseif before and (ARGV[4] == '' or said == '' or said < ARGV[4]) then
    redis.call('HDEL', KEYS[1], ARGV[at])
    changed = changed + 1
  end
  redis.pcall('HDEL', KEYS[3], ARGV[at])
end
if changed == 0 then return 0 end
local all, kept = redis.call('HGETALL', KEYS[1]), {}
for at = 1, #all, 2 do
  local since = tonumber(string.match(all[at + 1], '^%S+') or '')
  if since and since > now - ARGV[2] then
    kept[#kept + 1] = {since, all[at]}
  else
    redis.call('HDEL', KEYS[1], all[at])
  end
end
if #kept > tonumber(ARGV[3]) then
  table.sort(kept, function(one, other) return one[1] < other[1] end)
  for at = 1, #kept - ARGV[3] do redis.call('HDEL', KEYS[1], kept[at][2]) end
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
local revision = string.format('%d%06d', time[1], time[2])
if redis.call('GET', KEYS[2]) == revision then revision = revision .. '+' end
redis.call('SET', KEYS[2], revision)
local number = redis.pcall('INCR', KEYS[4])
if type(number) ~= 'number' then  -- it was damaged; readers see that it went back
  number = 1
  redis.call('SET', KEYS[4], number)
end
redis.call('PUBLISH', ARGV[1],
           cjson.encode({name = '', number = number, withdrawn = revision}))
return changed
""")

# Notes that GitHub has shown a repository again.
# KEYS: repositories that were shown again. ARGV: name or id, seconds that lie between two sightings
#       at least, seconds to remember.
# Returns 1 for the second sighting.
_SEEN = Script("""
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local before = tonumber(redis.pcall('HGET', KEYS[1], ARGV[1]) or '')
if before and before <= now - ARGV[2] then return 1 end
if type(redis.pcall('HLEN', KEYS[1])) ~= 'number' then redis.call('DEL', KEYS[1]) end
if not before or before > now then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.6f', now))
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 0
""")


def withdraw(redis: Redis, repositories: Sequence[str], *, updated_at: str = "") -> None:
    """Withdraw repositories from now on, and announce it.

    Args:
        redis: the client.
        repositories: names and ids, as `shared.withdrawal` spells them.
        updated_at: what GitHub's event says of the repository; empty if nothing.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    _change(redis, repositories, updated_at, is_withdrawn=True)


def admit(redis: Redis, repositories: Sequence[str], *, updated_at: str = "") -> bool:
    """End withdrawals, and announce it; the same for what is not withdrawn does nothing.

    Args:
        redis: the client.
        repositories: names and ids.
        updated_at: what GitHub's event says of the repository; empty if nothing. A withdrawal that
            a later event has caused does not end.

    Returns:
        Whether any ended.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    return _change(redis, repositories, updated_at, is_withdrawn=False)


def _change(
    redis: Redis, repositories: Sequence[str], updated_at: str, *, is_withdrawn: bool
) -> bool:
    if not repositories:
        return False
    names = (keys.WITHDRAWN, keys.WITHDRAWN_REVISION, keys.SHOWN_AGAIN, keys.CHANGES)
    arguments = [keys.ANNOUNCE, REMEMBER_S, MOST, updated_at, int(is_withdrawn), *repositories]
    return bool(_CHANGE(redis, list(names), arguments))


def is_seen_twice(redis: Redis, repository: str, *, apart: float, remember: float) -> bool:
    """Note that GitHub has shown a withdrawn repository; whether it is the second time.

    Args:
        redis: the client.
        repository: name or id.
        apart: seconds that lie between the two at least.
        remember: seconds for which the first one is remembered.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    return bool(_SEEN(redis, [keys.SHOWN_AGAIN], [repository, apart, int(remember)]))


class KnownWithdrawals:
    """What a process knows of the withdrawals; thread-safe.

    Args:
        redis: the client.
        clock: returns Unix time in seconds.
    """

    def __init__(self, redis: Redis, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock
        self._revision: object = None  # nothing has ever been withdrawn
        self._lock = Lock()
        self._listeners: list[Callable[[], None]] = []
        self.known = Withdrawals()

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called after each change, by the thread that learns of it."""
        self._listeners.append(listener)

    @staticmethod
    def add(pipeline: Pipeline) -> None:
        """Add the read of the revision to a pipeline; `heard` takes the reply."""
        pipeline.get(keys.WITHDRAWN_REVISION)

    def heard(self, revision: object) -> None:
        """Learn what is withdrawn, if it is another revision than the one that is known.

        Once it has returned, `known` is at least as new as the revision.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        if revision == self._revision:
            return
        with self._lock:
            if revision == self._revision:
                return
            with self._redis.pipeline() as pipeline:
                self.add(pipeline)
                pipeline.hgetall(keys.WITHDRAWN)
                newest, found = pipeline.execute(raise_on_error=False)
            for reply in (newest, found):
                if isinstance(reply, Exception) and not is_of_wrong_type(reply):
                    raise reply
            before, now = self.known, self._clock()
            self.known = Withdrawals(_parsed(found, now), former=before)
            self._revision = newest
        if self.known != before:
            for listener in self._listeners:
                listener()


def _parsed(found: Any, now: float) -> dict[str, float]:
    """The times in the reply of Redis, by key; none if they are damaged."""
    if not isinstance(found, dict):
        return {}
    return dict(_times(cast(Mapping[bytes, bytes], found), now))


def _times(fields: Mapping[bytes, bytes], now: float) -> Iterable[tuple[str, float]]:
    for key, value in fields.items():
        at = time_of(value.split(b" ", 1)[0])
        # Redis's clock was set back since: the event is taken for one of now.
        at = now if at > now + TOLERANCE else at
        if at > now - REMEMBER_S:
            yield key.decode(errors="replace"), at
