"""What a client wants of a resource, and what it gets."""

from dataclasses import dataclass

from reader.cache.age_bound import AgeBound
from reader.cache.refresh_requests import Requester
from shared.entry import Entry, Metadata
from shared.outcomes import Served


@dataclass(frozen=True)
class Found:
    """An entry for a request.

    Args:
        entry: fresh or stale.
        served: where it was found.
    """

    entry: Entry
    served: Served


@dataclass(frozen=True)
class Wanted:
    """What a client wants, and until when it waits for that.

    Args:
        requester: the client.
        deadline: of its wait, by the monotonic clock.
        bound: how old the content may be.
        asked_at: Unix time in seconds of the request.
    """

    requester: Requester
    deadline: float
    bound: AgeBound
    asked_at: float

    def is_met_by(self, metadata: Metadata, now: float) -> bool:
        """Whether the client gets content, instead of waiting for newer one."""
        is_taken = self.bound.admits(metadata, asked_at=self.asked_at, now=now)
        return is_taken and not metadata.is_outlived(now)
