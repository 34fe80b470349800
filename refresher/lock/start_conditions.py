"""Decides whether a refresh may start, and whether the refresh of a list may go on."""

from dataclasses import dataclass

from refresher.lock.large_list_limit import LargeListLimit
from refresher.lock.refresh_lock import RefreshLocks
from shared.resources.resource import Resource


@dataclass(frozen=True)
class StartConditions:
    """The locks of resources and the limit of large lists; may raise `redis.RedisError`.

    Args:
        locks: takes the lock of a resource.
        large_lists: limits how many large lists are refreshed at once.
    """

    locks: RefreshLocks
    large_lists: LargeListLimit

    def must_wait(self, resource: Resource, pages: int) -> bool:
        """Whether a list, by its length, must wait for other large lists of this process.

        Args:
            resource: the list, whose lock we hold.
            pages: its length, which is recorded.
        """
        return not self.large_lists.note(resource, pages)
