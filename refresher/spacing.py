"""The pause between two refreshes of a resource: a multiple of what the last one cost. Pure.

Without it, a large list that changes all the time would be refreshed all the time, and would use up
the minute's points and a slot of a refresher.
"""

from dataclasses import dataclass

# Seconds of rest for each second of the refresh: it runs for at most half of the time.
_PER_SECOND = 1.0
# Points of the minute for each point: refreshes of one resource use at most half of the minute's.
_PER_POINT = 2.0


@dataclass(frozen=True)
class Spacing:
    """How long a resource rests after a refresh.

    Args:
        points_per_minute: requests to GitHub that the fleet sends in a minute.
    """

    points_per_minute: int

    def pause(self, seconds: float, requests: int) -> float:
        """Seconds until the next refresh of a resource may be requested.

        Args:
            seconds: duration of the last one.
            requests: that it sent to GitHub; each costs a point.
        """
        by_points = _PER_POINT * requests * 60 / self.points_per_minute - seconds
        return max(_PER_SECOND * seconds, by_points)
