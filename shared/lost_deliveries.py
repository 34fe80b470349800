"""What refreshers report of GitHub's deliveries that were lost. Pure.

One string in Redis, in JSON, is replaced with each look. It holds no address, no id of a delivery
and nothing of what was delivered.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import cast

from shared.time_bounds import showable


class Fate(StrEnum):
    """What became of a delivery that was lost."""

    LOST = "lost"  # it was found
    ASKED = "asked-again"  # GitHub was asked to send it again; once for each time
    HEALED = "healed"  # it has arrived since
    COVERED = "covered"  # one of many: everything was made stale instead
    GIVEN_UP = "given-up"  # it did not arrive, however often GitHub was asked


@dataclass(frozen=True)
class SourceReport:
    """What was found at one source of webhooks.

    Args:
        name: the organisation, or `APP`.
        hooks: number of its webhooks that lead here.
        waiting: lost deliveries that are asked for again.
        given_up: lost deliveries of the last three days that are not asked for any more.
        codes: statuses that GitHub shows for those two; 0 for none.
        problem: why it could not be looked at; empty if it could.
        paused_until: Unix time in seconds until which GitHub wants no requests about it; 0 if it
            has not asked for a pause.
    """

    name: str
    hooks: int = 0
    waiting: int = 0
    given_up: int = 0
    codes: Sequence[int] = ()
    problem: str = ""
    paused_until: float = 0.0


@dataclass(frozen=True)
class LookReport:
    """The last look for lost deliveries.

    Args:
        at: Unix time in seconds.
        interval: seconds between two looks.
        sources: that were looked at.
    """

    at: float
    interval: float
    sources: Sequence[SourceReport] = ()

    @property
    def hooks(self) -> int:
        """The number of webhooks that lead here."""
        return sum(one.hooks for one in self.sources)

    @property
    def waiting(self) -> int:
        """The number of lost deliveries that are asked for again."""
        return sum(one.waiting for one in self.sources)

    @property
    def given_up(self) -> int:
        """The number of lost deliveries that are not asked for any more."""
        return sum(one.given_up for one in self.sources)

    @property
    def problems(self) -> Sequence[SourceReport]:
        """The sources that could not be looked at."""
        return [one for one in self.sources if one.problem]

    def to_json(self) -> str:
        """The report as it is stored."""
        return json.dumps(asdict(self))


APP = "the GitHub App"  # the name of that source


def parse(text: bytes | None) -> LookReport | None:
    """The stored report; None if there is none, or if it is damaged."""
    try:
        known = json.loads(text or b"")
        sources = [
            SourceReport(
                str(one["name"]),
                int(one["hooks"]),
                int(one["waiting"]),
                int(one["given_up"]),
                tuple(int(code) for code in one["codes"]),
                str(one["problem"]),
                _time(one.get("paused_until", 0)),
            )
            for one in known["sources"]
        ]
        return LookReport(float(known["at"]), float(known["interval"]), tuple(sources))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _time(value: object) -> float:
    """A Unix time in seconds of a report; 0 if it is damaged."""
    is_time = type(value) in {int, float} and math.isfinite(cast(float, value))
    return showable(cast(float, value)) if is_time else 0.0
