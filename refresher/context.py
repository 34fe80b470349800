"""Everything that a refresh needs, in one record; made for each job by `refresher.process`."""

from collections.abc import Callable
from dataclasses import dataclass

from refresher.content.list_reader import ListLimits
from refresher.github.client import GitHubClient
from refresher.lock.start_conditions import StartConditions
from refresher.reporting.reporter import Reporter
from refresher.storage.entry_writer import EntryWriter
from refresher.storage.storage import Storage
from refresher.visibility.privileges import Privileges
from shared.clock import Clock
from shared.redis.lifetimes import Lifetimes
from shared.settings import Settings

_NOT_READY_PATIENCE = 2.0  # seconds; a quarter of MISS_WAIT, if that is less


@dataclass(frozen=True)
class RefreshPolicy:
    """The rules of refreshes.

    Args:
        list_limits: how much is read of a list.
        longest_backoff: seconds of the longest pause after failures.
        chance: returns a random number from 0 up to 1, for the jitter of pauses.
        lifetimes: of content.
        not_ready_patience: seconds to wait for content that GitHub is still computing.
    """

    list_limits: ListLimits
    longest_backoff: float
    chance: Callable[[], float]
    lifetimes: Lifetimes
    not_ready_patience: float

    @classmethod
    def of(cls, settings: Settings, *, chance: Callable[[], float]) -> "RefreshPolicy":
        """The policy in the settings."""
        limits = ListLimits(
            settings.list_max_pages, settings.list_max_bytes, settings.github_concurrency
        )
        return cls(
            limits,
            settings.backoff_max,
            chance,
            Lifetimes.of(settings),
            min(_NOT_READY_PATIENCE, settings.miss_wait / 4),
        )


@dataclass(frozen=True)
class RefreshContext:
    """Everything that a refresh needs; one for each job.

    Args:
        storage: the fleet's Redis.
        origin: GitHub.
        conditions: the locks, and the limit of large lists.
        reporter: reports how each refresh ended.
        privileges: what is known about the credentials.
        policy: the rules of refreshes.
        clock: the process's clock.
        should_stop: returns whether the process shuts down.
    """

    storage: Storage
    origin: GitHubClient
    conditions: StartConditions
    reporter: Reporter
    privileges: Privileges
    policy: RefreshPolicy
    clock: Clock
    should_stop: Callable[[], bool] = lambda: False

    @property
    def writer(self) -> EntryWriter:
        """The writing side of the storage."""
        return self.storage.writer
