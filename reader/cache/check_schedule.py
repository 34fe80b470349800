"""When a reader next checks an entry in Redis: a pure decision."""

from dataclasses import dataclass

from shared.entry import Metadata

# Seconds after which a stale entry is checked at the latest: its refresh may have ended or died.
STALE_CHECK_INTERVAL = 1.0


@dataclass(frozen=True)
class CheckSchedule:
    """How long a reader serves an entry without checking Redis.

    Args:
        local_ttl: seconds that a fresh entry is served without a check.
    """

    local_ttl: float

    def next_check(self, metadata: Metadata, now: float) -> float:
        """Unix time in seconds of the next check of an entry that has been checked now.

        A fresh entry is due when it becomes stale or after `local_ttl`, whichever comes first.
        """
        stale_check = now + min(self.local_ttl, STALE_CHECK_INTERVAL)
        if not metadata.is_fresh(now):
            return stale_check
        return max(min(now + self.local_ttl, metadata.fresh_until), stale_check)
