"""What of a table fits into a width: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GAP = 2  # columns between two of a table
_ROOM = 30  # columns that a long name should have, before others are left out for it
_CUT = "…"


@dataclass(frozen=True)
class Column:
    """A column of a table; the first one of a table is shortened where there is no room for it.

    Args:
        title: its head.
        name: of the row's member that it shows.
        to_the_right: a number.
        leaves: where there is little room, columns are left out in this order; 0 for never.
    """

    title: str
    name: str
    to_the_right: bool = False
    leaves: int = 0


def fitting(
    columns: Sequence[Column], rows: Sequence[Mapping[str, str]], width: int
) -> tuple[list[Column], int]:
    """Which columns to show in so many columns of a terminal, and how wide the first may be."""
    shown = list(columns)
    first = _width(shown[0], rows)
    while True:
        room = width - sum(_width(column, rows) + GAP for column in shown[1:])
        out = min((column for column in shown if column.leaves), key=_leaves, default=None)
        if room >= min(first, _ROOM) or out is None:
            return shown, max(1, min(first, room))
        shown.remove(out)


def shortened(text: str, width: int) -> str:
    """A text in so many columns; both its ends stay, since they tell names apart."""
    if len(text) <= width:
        return text
    kept = max(0, width - len(_CUT))
    end = kept // 2
    return text[: kept - end] + _CUT + text[len(text) - end :]


def _leaves(column: Column) -> int:
    return column.leaves


def _width(column: Column, rows: Sequence[Mapping[str, str]]) -> int:
    return max([len(column.title), *(len(row[column.name]) for row in rows)])
