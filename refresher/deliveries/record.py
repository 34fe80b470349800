"""What is remembered of lost deliveries, in Redis, and which process looks for them.

One process of the fleet holds the lease, and only its writes are accepted: one that was stopped for
too long, and whose lease another process has taken, learns so before it asks GitHub for anything.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import cast

from redis import Redis

from refresher.deliveries.lost import Lost, lost_from
from refresher.lease import Lease
from shared.redis import keys
from shared.redis.scripts import Script
from shared.time_bounds import LONGEST_PAUSE, time_of

_KEPT_S = 4 * 24 * 3600  # longer than GitHub remembers deliveries
_READER_S = 20.0  # seconds for which a reader's heartbeat counts
_REPORT_KEPT_S = 24 * 3600

# Writes what is known of a webhook, if this process holds the lease, and extends that.
# KEYS: the lease, the webhook's state, its lost deliveries.
# ARGV: holder, milliseconds of the lease, seconds to keep, the state (empty: unchanged), number of
#       deliveries to forget, these, then pairs of a delivery and its record.
_WRITE = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if ARGV[4] ~= '' then redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[3]) end
local forgotten = tonumber(ARGV[5])
for at = 6, 5 + forgotten do redis.call('HDEL', KEYS[3], ARGV[at]) end
for at = 6 + forgotten, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1]) end
redis.call('EXPIRE', KEYS[3], ARGV[3])
return 1
""")


class LostLeaseError(Exception):
    """Another process looks for lost deliveries now."""


@dataclass(frozen=True)
class HookState:
    """How far the deliveries of a webhook were read.

    Args:
        newest: time of the newest attempt, by GitHub's clock; 0 if none was read.
        etag: of the first page.
        settled: attempts up to this id are done with, except what is remembered as lost: they came
            before the first look, or everything was made stale after them.
        last_success: time of the newest attempt that succeeded, by GitHub's clock.
    """

    newest: float = 0.0
    etag: str = ""
    settled: int = 0
    last_success: float = 0.0


class Record:
    """The lease and the record; methods may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
        holder: name of this process, unique in the fleet.
        lease: seconds after which another process may take over from one that died.
    """

    def __init__(self, redis: Redis, holder: str, *, lease: float) -> None:
        self._redis = redis
        self._holder = holder
        self._lease_s = lease
        self._lease = Lease(redis, keys.REDELIVERY, holder)

    def take(self) -> bool:
        """Try to take the lease; return whether this process has it."""
        return not self._lease.take(self._lease_s)

    def keep(self) -> None:
        """Extend the lease; raises `LostLeaseError`."""
        self.rest(self._lease_s)

    def rest(self, seconds: float) -> None:
        """Let nobody look for a number of seconds; raises `LostLeaseError`."""
        if not self._lease.last(seconds):
            raise LostLeaseError

    def state(self, hook: str) -> HookState | None:
        """How far the deliveries of a webhook were read; None at the first look, or if damaged."""
        try:
            return HookState(**json.loads(cast(bytes, self._redis.get(keys.hook(hook))) or b""))
        except (ValueError, TypeError, RecursionError):
            return None

    def lost(self, hook: str) -> Mapping[str, Lost]:
        """The lost deliveries of a webhook, by their ids; without damaged ones."""
        found = cast(dict[bytes, bytes], self._redis.hgetall(keys.lost_deliveries(hook)))
        known = {guid.decode(errors="replace"): lost_from(text) for guid, text in found.items()}
        return {guid: one for guid, one in known.items() if one is not None}

    def arrived(self, guids: Iterable[str]) -> Collection[str]:
        """Those of the deliveries that a reader has taken."""
        asked = sorted(set(guids))
        with self._redis.pipeline(transaction=False) as pipeline:
            for guid in asked:
                pipeline.exists(keys.delivery(guid))
            return {
                guid for guid, is_there in zip(asked, pipeline.execute(), strict=True) if is_there
            }

    def write(
        self,
        hook: str,
        *,
        state: HookState | None = None,
        lost: Mapping[str, Lost],
        forgotten: Iterable[str] = (),
    ) -> None:
        """Write what is known of a webhook.

        Args:
            hook: its path.
            state: how far it was read; None if that has not changed.
            lost: records to add or to replace.
            forgotten: ids of deliveries that are not remembered any more.

        Raises:
            LostLeaseError: another process has the lease. Nothing was written.
        """
        gone = list(forgotten)
        pairs = [part for guid, one in lost.items() for part in (guid, one.to_json())]
        text = "" if state is None else json.dumps(asdict(state))
        names = [keys.REDELIVERY, keys.hook(hook), keys.lost_deliveries(hook)]
        args = [self._holder, int(1000 * self._lease_s), _KEPT_S, text, len(gone), *gone, *pairs]
        if not _WRITE(self._redis, names, args):
            raise LostLeaseError

    def has_readers(self, now: float) -> bool:
        """Whether a reader process has reported lately.

        Args:
            now: Unix time in seconds, by Redis's clock.
        """
        return bool(self._redis.zcount(keys.READERS, now - _READER_S, "+inf"))

    def report(self, text: str) -> None:
        """Replace the report of the last look."""
        self._redis.set(keys.REDELIVERY_REPORT, text, ex=_REPORT_KEPT_S)

    def pause(self, source: str, seconds: float, *, now: float) -> float:
        """Ask GitHub nothing about a source for a number of seconds, an hour at most.

        Args:
            source: its name.
            seconds: that GitHub asks for.
            now: Unix time in seconds, by Redis's clock.

        Returns:
            The Unix time in seconds until which it is asked for nothing.
        """
        seconds = min(seconds, LONGEST_PAUSE)
        until = round(now + seconds, 3)
        text = f"{until:.3f} {now:.3f}"
        self._redis.set(keys.hook_pause(source), text, px=max(1, int(1000 * seconds)))
        return until

    def paused_until(self, source: str, *, now: float) -> float | None:
        """Until when GitHub wants no requests about a source; None if it takes them.

        An operator's "resume" ends what was recorded before it.

        Args:
            source: its name.
            now: Unix time in seconds, by Redis's clock.
        """
        names = [keys.hook_pause(source), keys.RESUMED]
        known, resumed = cast(list[bytes | None], self._redis.mget(names))
        if known is None:
            return None
        until, _, at = known.partition(b" ")
        resumed_at = min(time_of(resumed), now)
        return None if resumed_at and time_of(at) <= resumed_at else time_of(until)
