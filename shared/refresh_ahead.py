"""When tracked resources are refreshed before they become stale: pure decisions."""

import hashlib
from dataclasses import dataclass

from shared.entry import Metadata
from shared.redis.entry_state import EntryState
from shared.resources.resource import Resource


@dataclass(frozen=True)
class Ahead:
    """Refreshes resources in a window before they become stale.

    Each resource is due at a time of its own in the first half of the window, a different one each
    time, so that resources fetched together do not stay together for ever. The second half is for
    the refresh itself.

    Args:
        window: seconds before the content becomes stale.
    """

    window: float

    def due_at(self, resource: Resource, metadata: Metadata) -> float:
        """Unix time in seconds of the refresh; the same in all schedulers."""
        seed = f"{resource.id} {metadata.fresh_until}".encode()
        chance = int.from_bytes(hashlib.sha256(seed).digest()[:8]) / 2**64
        return metadata.fresh_until - self.window * (0.5 + 0.5 * chance)

    def wants_refresh(self, resource: Resource, state: EntryState, now: float) -> bool:
        """Whether the resource should be refreshed now."""
        if state.is_asked or state.is_held_back(now):
            return False
        if state.metadata is None or not state.is_current(now):
            return True
        return now >= self.due_at(resource, state.metadata)
