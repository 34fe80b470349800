"""A statement on the state of the fleet: how much it matters, and what it is about."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a statement matters, the worst first."""

    BAD = "bad"  # something cannot be served, or soon will not be
    WARN = "warn"  # something fails; cached content is served meanwhile
    NOTE = "note"  # worth knowing
    GOOD = "good"  # as it should be


LEVEL_SIGNS = {Level.GOOD: "✓", Level.NOTE: "i", Level.WARN: "!", Level.BAD: "✕"}


class Topic(StrEnum):
    """The subject of a statement."""

    CONTENT = "content"  # missing, failing and stale resources, or that everything is fresh
    DRIFT = "drift"  # stored content was found that GitHub has confirmed and does not show
    TRACK = "track"  # paths of TRACK that clients do not get
    PAUSE = "pause"  # an operator has paused refreshing
    REFRESHERS = "refreshers"  # none is running, or one does not keep the order of the queue
    REFUSALS = "refusals"  # requests are refused because of the load
    POINTS = "points"  # the minute's points of on-demand content are used up
    LOCKS = "locks"  # no lock can be taken
    GITHUB = "github"  # a secondary rate limit
    CLOCKS = "clocks"  # a machine's clock is wrong
    VERSIONS = "versions"  # readers run different ones
    PRIVATE = "private"  # private repositories are served
    PRIVILEGES = "privileges"  # a credential sees more than the public
    CREDENTIALS = "credentials"  # GitHub refuses one
    DELIVERIES = "deliveries"  # of webhooks, that were lost
    REDIS = "redis"  # it is away
    SCHEDULERS = "schedulers"  # one has died, and there is no other
    FILES = "files"  # readers cannot write temporary ones


@dataclass(frozen=True)
class Statement:
    """One statement.

    Args:
        level: how much it matters.
        topic: its subject.
        title: a few words.
        text: one to three sentences.
        runbook: the name of the page in `docs/runbooks` about the same trouble; empty for none.
    """

    level: Level
    topic: Topic
    title: str
    text: str
    runbook: str = ""
