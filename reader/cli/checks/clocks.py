"""Checks whether this machine, Redis and GitHub agree on the time."""

from collections.abc import Iterator

from reader.cli.checks.finding import Finding, Verdict
from reader.status.formatting import duration

_OFF, _WRONG = 5.0, 60.0  # seconds from which an offset is a warning, and a problem


def check_clocks(redis_offset: float, origin_offset: float | None) -> Iterator[Finding]:
    """Compare the clocks.

    Args:
        redis_offset: seconds that Redis's clock is ahead of this machine's.
        origin_offset: seconds that GitHub's clock is ahead of the refreshers'; None if unknown.
    """
    yield _compare("Redis's", "this machine's", redis_offset)
    if origin_offset is not None:
        yield _compare("GitHub's", "the refreshers'", origin_offset)


def _compare(whose: str, other: str, offset: float) -> Finding:
    off = abs(offset)
    if off < _OFF:
        found = f"{whose} clock agrees with {other} to within {duration(off)}"
        return Finding("clocks", Verdict.OK, found)
    direction = "ahead of" if offset > 0 else "behind"
    return Finding(
        "clocks",
        Verdict.WARNING if off < _WRONG else Verdict.PROBLEM,
        f"{whose} clock is {duration(off)} {direction} {other}",
        "synchronise the clocks with NTP: freshness and tokens depend on them",
    )
