"""Checks whether this machine, the others, Redis and GitHub agree on the time."""

import math
from collections.abc import Iterator, Mapping

from reader.cli.checks.finding import Finding, Verdict
from reader.status.formatting import duration
from shared.clock_skew import MUCH

_OFF = 5.0  # seconds from which an offset of GitHub's clock is named
_WRONG = 60.0  # seconds from which an offset of GitHub's clock is a problem: resets are in its time
_REDIS_OR_GITHUB = "synchronise Redis's clock with NTP: GitHub's resets are in GitHub's time"
_PROCESS = "synchronise the machine's clock with NTP; meanwhile Redis's clock is used"


def check_clocks(
    redis_offset: float, origin_offset: float | None, skews: Mapping[str, float]
) -> Iterator[Finding]:
    """Compare the clocks.

    Args:
        redis_offset: seconds that Redis's clock is ahead of this machine's.
        origin_offset: seconds that GitHub's clock is ahead of Redis's; None if unknown.
        skews: seconds that the clocks of nodes and refreshers are ahead of Redis's, if it is much.
    """
    yield _compare("Redis's", "this machine's", redis_offset, much=MUCH)
    for name, skew in skews.items():
        yield _compare(f"{name}'s", "Redis's", skew, much=MUCH)
    if origin_offset is not None:
        yield _compare("GitHub's", "Redis's", origin_offset, much=_OFF, wrong=_WRONG)


def _compare(
    whose: str, other: str, offset: float, *, much: float, wrong: float = math.inf
) -> Finding:
    off = abs(offset)
    if off <= much:
        found = f"{whose} clock agrees with {other} to within {duration(off)}"
        return Finding("clocks", Verdict.OK, found)
    direction = "ahead of" if offset > 0 else "behind"
    return Finding(
        "clocks",
        Verdict.WARNING if off < wrong else Verdict.PROBLEM,
        f"{whose} clock is {duration(off)} {direction} {other}",
        _REDIS_OR_GITHUB if wrong < math.inf else _PROCESS,
    )
