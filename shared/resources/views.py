"""The ranked views by name: which list a view shows, and in which order."""

from functools import cache

from shared.resources.kinds import TRACKED, Kind, Ranking


@cache
def rankings() -> dict[str, tuple[Kind, Ranking]]:
    """Every ranking that a view can show, with the kind of list that it orders, by its name."""
    return {ranking.name: (kind, ranking) for kind in TRACKED for ranking in kind.rankings}
