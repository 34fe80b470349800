"""Carries changed rows over into a stored view, of which only the segments they touch are read.

A full ranking gives the same segments: a segment depends on its rows, and on where it begins. So
from left to right, what comes before a change stays; from a change on, rows are cut anew up to the
next row that ends a segment whatever comes before it. The segments behind stay again.
"""

import json
import struct
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from refresher.content.ranking import USUAL_ROWS, Place, text_of
from refresher.errors import StoredPageError
from shared.entry import VIEW_SEPARATOR
from shared.resources.kinds import Value
from shared.segments import Packed, Segment, borders, name_of, runs_between


class ViewRow(NamedTuple):
    """A row of a view."""

    name: str
    value: Value


class ViewRun(NamedTuple):
    """A segment of a view.

    Args:
        name: of the segment.
        texts: of its rows; None if it is stored.
        last: the text of its last row.
    """

    name: bytes
    texts: Sequence[str] | None
    last: str


class _Written(NamedTuple):
    """A row with its text.

    Args:
        row: the row.
        text: as `json.dumps` writes it.
        ends: a segment ends with it, whatever comes before.
    """

    row: ViewRow
    text: str
    ends: bool


@dataclass(frozen=True)
class StoredView:
    """A view as it is stored.

    Args:
        segments: of the view.
        lasts: the last row of each.
        load: returns the stored body of a segment, None if it is gone.
    """

    segments: Sequence[Segment]
    lasts: Sequence[ViewRow]
    load: Callable[[bytes], bytes | None] = field(repr=False)

    def rows_of(self, number: int) -> list[_Written]:
        """The rows of a segment.

        Raises:
            StoredPageError: it is gone or damaged.
        """
        segment = self.segments[number]
        stored = self.load(segment.name)
        if stored is None:
            raise StoredPageError
        try:
            packed = Packed.from_bytes(stored)
            plain = packed.plain(segment.checked).decode()
            rows = [ViewRow(name, value) for name, value in json.loads(f"[{plain}]")]
        except (ValueError, TypeError, struct.error) as error:
            raise StoredPageError from error
        # JSON in ASCII: as many characters as bytes. Between two rows there is a separator.
        begins = [0, *(end + len(VIEW_SEPARATOR) for end in packed.ends)]
        texts = [plain[begin:end] for begin, end in zip(begins, packed.ends, strict=False)]
        if len(rows) != len(texts) or not rows or rows[-1] != self.lasts[number]:
            raise StoredPageError
        # No other row ends a segment: it would have ended this one.
        ends = [False] * (len(rows) - 1) + [_ends(rows[-1])]
        return list(map(_Written, rows, texts, ends))


def runs_of(texts: Sequence[str], ends: bytes) -> list[ViewRun]:
    """The segments of rows; each is named by its body, which is short.

    Args:
        texts: of the rows, best first.
        ends: a byte for each: 1 if a segment ends with it, 0 if not.
    """
    return [
        ViewRun(name_of(texts[one]), texts[one], texts[one.stop - 1]) for one in runs_between(ends)
    ]


def changed_view(
    stored: StoredView, gone: Sequence[ViewRow], new: Sequence[ViewRow]
) -> list[ViewRun]:
    """The segments of a stored view with other rows.

    Args:
        stored: the view.
        gone: rows that it has no longer.
        new: rows that it did not have.

    Raises:
        StoredPageError: a segment is gone or damaged, or is not of the view.
    """
    if not stored.segments or len(stored.lasts) != len(stored.segments):
        raise StoredPageError
    places = [Place(*row) for row in stored.lasts]
    gone_of, new_of = _by_segment(gone, places), _by_segment(new, places)
    runs: list[ViewRun] = []
    open_rows: list[_Written] = []  # from the beginning of a segment on, not cut yet
    for number, segment in enumerate(stored.segments):
        if not open_rows and number not in gone_of and number not in new_of:
            last = stored.lasts[number]
            runs.append(ViewRun(segment.name, None, text_of(*last)))
            continue
        open_rows += _with(stored.rows_of(number), gone_of[number], new_of[number])
        is_end = number == len(places) - 1
        if open_rows and (is_end or open_rows[-1].ends):
            ends = bytes(one.ends for one in open_rows)
            runs += runs_of([one.text for one in open_rows], ends)
            open_rows = []
    return runs


def _by_segment(rows: Iterable[ViewRow], lasts: Sequence[Place]) -> dict[int, list[ViewRow]]:
    """Rows by the number of the segment in which each has its place."""
    found = defaultdict[int, list[ViewRow]](list)
    for row in rows:
        found[min(bisect_left(lasts, Place(*row)), len(lasts) - 1)].append(row)
    return found


def _with(rows: list[_Written], gone: Sequence[ViewRow], new: Sequence[ViewRow]) -> list[_Written]:
    """The rows of a segment without some, and with others.

    Raises:
        StoredPageError: a row that is gone was not there.
    """
    for one in gone:
        at = bisect_left(rows, Place(*one), key=_place_of)
        if at == len(rows) or rows[at].row != one:
            raise StoredPageError
        del rows[at]
    for one in new:
        written = _Written(one, text_of(*one), _ends(one))
        insort(rows, written, key=_place_of)
    return rows


def _place_of(written: _Written) -> Place:
    return Place(*written.row)


def _ends(row: ViewRow) -> bool:
    """Whether a segment ends with a row, whatever comes before it."""
    return any(borders([row.name], usual=USUAL_ROWS))
