"""Decides whether the refresh of an on-demand resource is queued, and in which place. Pure.

Before that, `Resource.is_allowed` decides which paths can be requested on demand at all.
"""

from shared.resources.resource import Resource

# Jobs may jump only a short queue: in a long one they would starve the jobs that came first.
SHORT_QUEUE = 20


def is_admitted(resource: Resource, *, queued: int, limit: int) -> bool:
    """Whether a refresh may be queued; tracked resources always may.

    Args:
        resource: the resource to refresh.
        queued: number of jobs in the queue.
        limit: number of queued jobs at which on-demand resources are refused (`QUEUE_MAX`).
    """
    return resource.tracked or queued < limit


def goes_to_the_front(resource: Resource, *, queued: int, is_urgent: bool) -> bool:
    """Whether a refresh is queued at the front.

    Args:
        resource: the resource to refresh.
        queued: number of jobs in the queue.
        is_urgent: a client is waiting for it.
    """
    return resource.tracked or (is_urgent and queued < SHORT_QUEUE)
