"""Header fields that no server should send: absurd limits, dates and waits.

The fault `absurd_headers` adds a row of `HARMLESS` to each right response, in turn: none of them
asks a client to wait. The fault `absurd_pauses` adds a row of `PAUSES`, which do, for years.
"""

from collections.abc import Sequence
from typing import Final

from tests.fakegithub.faults import Fault

Fields = dict[str, str | None]


def limit(limit: str, remaining: str, reset: str) -> Fields:
    """The fields of the primary limit."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    return dict(zip(names, (limit, remaining, reset), strict=True))


HARMLESS: Final[Sequence[Fields]] = (
    limit("60", "-1", "0"),
    limit("0", "0", "0"),
    limit("9" * 400, "9" * 400, "9" * 400),
    limit("1e309", "NaN", "-62135596800"),
    limit("\xb2", "\xb9\xb2", "\xb3"),  # digits to `str.isdigit`, and no numbers
    limit("5_000", "+59", " 0x7f"),
    limit("", "", ""),
    {"X-RateLimit-Resource": "../" * 500, "X-RateLimit-Used": "-1"},
    {"X-RateLimit-Limit": None, "X-RateLimit-Reset": "tomorrow"},
    {"Date": "Fri, 31 Dec 9999 23:59:59 GMT", "Last-Modified": "Fri, 31 Dec 9999 23:59:59 GMT"},
    {"Date": "Thu, 01 Jan 1970 00:00:00 GMT", "Last-Modified": "Mon, 01 Jan 0001 00:00:00 GMT"},
    {"Date": "Mon, 31 Feb 2026 25:61:61 GMT", "Last-Modified": "yesterday"},
    {"Date": "Sat, 01 Jan 2000 00:00:00 +9999999999", "Age": "-99999999999999999999"},
    {"Date": None, "Last-Modified": ""},
    {"Retry-After": "-1"},
    {"Retry-After": "999999999999"},  # of a right response
    {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"},
    {"Cache-Control": "max-age=-99999999999999999999, s-maxage=1e309", "Expires": "never"},
)
PAUSES: Final[Sequence[Fields]] = (
    limit("60", "1", "999999999999"),
    limit("60", "0", "999999999999"),
    limit("0", "0", "99999999999999999999"),
    limit("60", "0", "999999999999") | {"Retry-After": "9" * 300},
)
_ROWS: Final = {"absurd_headers": HARMLESS, "absurd_pauses": PAUSES}


def absurd_headers(fault: Fault | None, number: int) -> Fields:
    """What a fault adds to the right response to the request of this number."""
    rows = _ROWS.get(fault.kind, ()) if fault else ()
    return rows[number % len(rows)] if rows else {}
