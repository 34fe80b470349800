"""The page's rows about what holds something back: why, since when, until when, what ends it."""

from collections import Counter
from collections.abc import Sequence

from reader.fleet.holds import Viewpoint, holds_of
from reader.status.formatting import iso
from reader.status.page_input import NOTHING, JsonObject, PageInput
from reader.status.statement import LEVEL_SIGNS, Level
from shared.holds import Hold

_MOST = 20  # rows of one kind


def holds_for(page_input: PageInput) -> list[Hold]:
    """What holds something back, as far as whoever looks may know."""
    viewpoint = Viewpoint(
        page_input.settings, page_input.away_since, page_input.refusing, page_input.is_operator
    )
    return holds_of(page_input.fleet, viewpoint)


def hold_rows(holds: Sequence[Hold], now: float) -> list[JsonObject]:
    """A row for each hold, at most `_MOST` of one kind, and one for all others of that kind."""
    shown: Counter[str] = Counter()
    more: Counter[str] = Counter()
    rows = []
    for hold in holds:
        if shown[hold.kind] < _MOST:
            shown[hold.kind] += 1
            rows.append(_row(hold, now))
        else:
            more[hold.kind] += 1
    return [*rows, *(_more(kind, number) for kind, number in more.items())]


def _row(hold: Hold, now: float) -> JsonObject:
    level = Level.NOTE if hold.is_routine else Level.WARN
    return {
        "key": hold.key,
        "kind": hold.kind,
        "level": level,
        "sign": LEVEL_SIGNS[level],
        "about": hold.about,
        "reason": hold.reason,
        "since": None if hold.since is None else iso(hold.since),
        "since_words": _in_two_lines(hold.since_words(now)),
        "until": None if hold.until is None else iso(hold.until),
        "until_words": _in_two_lines(hold.until_words(now)),
        "ends_when": hold.ends_when,
        "words": hold.words(now),
    }


def _in_two_lines(text: str) -> str:
    """A time and a duration, of which a narrow column breaks neither."""
    at, _, lasts = text.partition(" (")
    return f"{at} ({lasts}".replace(" ", "\u00a0").replace("\u00a0(", " (") if lasts else text


def _more(kind: str, number: int) -> JsonObject:
    about = f"{number} more"
    return {
        "key": f"{kind} more",
        "kind": kind,
        "level": Level.NOTE,
        "sign": LEVEL_SIGNS[Level.NOTE],
        "about": about,
        "reason": "likewise",
        "since": None,
        "since_words": NOTHING,
        "until": None,
        "until_words": NOTHING,
        "ends_when": NOTHING,
        "words": f"{about}, likewise.",
    }
