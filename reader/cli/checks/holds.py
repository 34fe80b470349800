"""What holds something back, as `doctor` tells of it."""

from collections import Counter
from collections.abc import Iterator, Sequence

from reader.cli.checks.finding import Finding, Verdict
from shared.holds import Hold, HoldKind

_ABOUT = "held back"
_MOST = 5  # holds of one kind
_WARNINGS = {HoldKind.PAUSED: "flask --app reader cache resume"}


def check_holds(holds: Sequence[Hold], now: float) -> Iterator[Finding]:
    """Tell of each hold: why, since when, until when, and what ends it.

    What is wrong about it is judged by other checks, except that an operator has paused refreshing.

    Args:
        holds: what holds something back.
        now: Unix time in seconds.
    """
    shown: Counter[HoldKind] = Counter()
    for hold in holds:
        shown[hold.kind] += 1
        if shown[hold.kind] > _MOST:
            continue
        advice = _WARNINGS.get(hold.kind, "")
        verdict = Verdict.WARNING if advice else Verdict.NOTE
        yield Finding(_ABOUT, verdict, hold.words(now), advice)
    for kind, number in shown.items():
        if number > _MOST:
            found = f"{number - _MOST} more, likewise ({kind}): see `list`"
            yield Finding(_ABOUT, Verdict.NOTE, found)
