"""The states of a resource, with their signs. Pure."""

from enum import StrEnum

from reader.fleet.disclosure import is_withheld
from reader.fleet.view import TrackedView
from reader.status.statement import Level


class State(StrEnum):
    """The state of a resource."""

    FRESH = "fresh"  # inside its lifetime
    STALE = "stale"  # past it; a refresh is due, queued or running
    FAILING = "failing"  # its last refresh failed; cached content is served
    DOUBTED = "in doubt"  # the list lost much at GitHub; the one from before is served
    WITHHELD = "withheld"  # of TRACK: clients get GitHub's error, or a refusal
    MISSING = "missing"  # nothing is cached


# Shape and word tell states apart; colour only helps.
SIGNS = {
    State.FRESH: "✓",
    State.STALE: "↻",
    State.FAILING: "!",
    State.DOUBTED: "?",
    State.WITHHELD: "\u2013",
    State.MISSING: "✕",
}
LEVELS = {
    State.FRESH: Level.GOOD,
    State.STALE: Level.NOTE,
    State.FAILING: Level.WARN,
    State.DOUBTED: Level.WARN,
    State.WITHHELD: Level.NOTE,
    State.MISSING: Level.BAD,
}


def state_of(view: TrackedView) -> State:
    """The state of a resource."""
    if view.metadata is None:
        return State.MISSING
    if view.failure is not None:
        return State.FAILING
    if view.suspicion is not None:
        return State.DOUBTED
    if is_withheld(view):
        return State.WITHHELD
    return State.FRESH if view.is_fresh else State.STALE
