"""The extent of a run, its events, and its figures."""

from collections.abc import Sequence
from dataclasses import dataclass

FIRST, STEADY = "first look", "one a second"
CHANGED, ADDED, REMOVED = "one changed", "one added", "one removed"
RENAMED, MANY, NOTHING = "one renamed", "1 % changed at once", "nothing changed"
ONES = (CHANGED, ADDED, REMOVED, RENAMED, MANY, NOTHING)


@dataclass(frozen=True)
class Plan:
    """The extent of a run.

    Args:
        sizes: numbers of repositories.
        rounds: of each change.
        seconds: in which one repository a second changes.
        rate: small requests a second meanwhile.
    """

    sizes: Sequence[int] = (250, 1000, 7000, 20_000)
    rounds: int = 3
    seconds: int = 60
    rate: float = 200.0


QUICK = Plan(sizes=(250, 1000, 7000), rounds=2, seconds=10)


@dataclass(frozen=True)
class Sample:
    """One change, or several at once.

    Args:
        code: "now" or "before".
        repositories: in the list.
        event: what happens; `STEADY` has the figures of one of its changes.
        requests: at GitHub.
        points: of GitHub's primary limit.
        cpu: seconds of the refresher.
        memory: most bytes of the refresher, above those of one that has just started.
        sent: bytes that Redis sent to one reader process, the one that got most.
        visible: seconds from the webhook until all processes serve it (`STEADY`: p99 of its
            changes; `FIRST`: from the first request at GitHub); None if there is nothing to see.
        p99: of small hits meanwhile, in milliseconds; None without load, as the next.
        longest: of them, without the load generator's own delay.
    """

    code: str
    repositories: int
    event: str
    requests: float
    points: float
    cpu: float
    memory: int
    sent: float
    visible: float | None
    p99: float | None = None
    longest: float | None = None


@dataclass(frozen=True)
class Node:
    """A node after all changes, and small hits while nothing changes.

    Args:
        size: bytes of the list.
        memory: bytes of its processes, above those of a node that holds nothing.
        p99: of small hits, in milliseconds.
        longest: of them.
    """

    code: str
    repositories: int
    size: int
    memory: int
    p99: float
    longest: float


@dataclass(frozen=True)
class Results:
    """Everything measured."""

    samples: Sequence[Sample]
    nodes: Sequence[Node]
