"""When a reader looks at Redis again, and when it asks for a refresh: pure decisions."""

from dataclasses import dataclass

from shared.entry import Metadata
from shared.redis.store import EntryState

# A stale entry is looked at this often at least: its refresh may be through, or may have died.
STALE_CHECK_INTERVAL = 1.0


@dataclass(frozen=True)
class CheckSchedule:
    """How long a reader may go without Redis.

    Args:
        local_ttl: seconds that a copy is served without another look.
    """

    local_ttl: float

    def next_check(self, metadata: Metadata, now: float) -> float:
        """Unix time in seconds of the next look at an entry that was looked at now.

        A fresh copy is due when it becomes stale, or after `local_ttl`, whichever is first.
        """
        stale_check = now + min(self.local_ttl, STALE_CHECK_INTERVAL)
        if not metadata.is_fresh(now):
            return stale_check
        return max(min(now + self.local_ttl, metadata.fresh_until), stale_check)


def wants_refresh(state: EntryState, now: float) -> bool:
    """Whether what Redis holds calls for asking the origin, and it is not too early to."""
    if state.failure is not None and state.failure.holds_back(now):
        return False
    return not state.is_current(now)
