"""When a reader looks at Redis again, and when it asks for a refresh: pure decisions."""

from dataclasses import dataclass

from shared.entry import Metadata
from shared.redis.store import Look

# A stale entry is looked at this often at least: its refresh may be through, or may have died.
STALE_LOOK_INTERVAL = 1.0


@dataclass(frozen=True)
class Policy:
    """How long a reader may go without Redis.

    Args:
        local_ttl: seconds that a copy is served without another look.
    """

    local_ttl: float

    def next_look(self, metadata: Metadata, now: float) -> float:
        """Unix time in seconds of the next look at an entry that was looked at now.

        A fresh copy is due when it becomes stale, or after `local_ttl`, whichever is first.
        """
        stale_look = now + min(self.local_ttl, STALE_LOOK_INTERVAL)
        if not metadata.is_fresh(now):
            return stale_look
        return max(min(now + self.local_ttl, metadata.fresh_until), stale_look)


def wants_refresh(look: Look, now: float) -> bool:
    """Whether what Redis holds calls for asking the origin, and it is not too early to."""
    if look.failure is not None and look.failure.holds_back(now):
        return False
    return not look.is_current(now)
