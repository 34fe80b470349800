"""A run's result for people."""

from collections import Counter
from statistics import median

from tests.chaos import checkers
from tests.chaos.run import Result

_SHOWN = 10  # violations of one sort


def table(result: Result) -> str:
    """What was done, what held, and what did not."""
    history = result.history
    kinds = Counter(one.fault.kind for one in history.inflicted)
    statuses = Counter(str(one.status or "none") for one in history.answers)
    worst = [
        max((row.seconds or 0 for row in checkers.recovery_times(history, one)), default=0.0)
        for one in history.recoveries
    ]
    lines = [
        "",
        f"{sum(kinds.values())} faults of {len(kinds)} kinds in {result.seconds:.0f} s, "
        f"{len(history.recoveries)} episodes",
        f"{len(history.answers)} requests: "
        + ", ".join(f"{status} {count}" for status, count in sorted(statuses.items())),
        f"{len(history.looks)} looks at status and metrics",
        f"{len(history.misses)} misses: {sum(one.is_served for one in history.misses)} served; "
        f"{median(history.at_work or [0]):.0f} refreshes at GitHub as an episode begins (median)",
        f"{len(history.stored)} refreshes stored or confirmed, "
        f"{checkers.explained(history)} of them seen at GitHub",
        f"fresh again after {median(worst or [0]):.1f} s (median), {max(worst, default=0):.1f} s "
        f"(worst); the bound is {result.bound:.1f} s on this machine",
        "",
    ]
    for name, found in result.violations.items():
        lines.append(
            f"{'FAILED' if found else 'holds':8}{name}{f' ({len(found)})' if found else ''}"
        )
        lines += [f"{'':8}  {one}" for one in found[:_SHOWN]]
    return "\n".join(lines)
