"""Which columns of a table fit into a terminal's width: pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GAP = 2  # terminal columns between two table columns
_ROOM = 30  # terminal columns for a long name, before table columns are left out for it
_CUT = "…"


@dataclass(frozen=True)
class Column:
    """A column of a table; the first column of a table is shortened if it does not fit.

    Args:
        title: its heading.
        name: key of the row's text.
        right_aligned: for numbers.
        drop_order: in a narrow terminal, columns are left out in this order; 0 for never.
    """

    title: str
    name: str
    right_aligned: bool = False
    drop_order: int = 0


def fitting(
    columns: Sequence[Column], rows: Sequence[Mapping[str, str]], width: int
) -> tuple[list[Column], int]:
    """The columns that fit into a number of terminal columns, and the width of the first."""
    shown = list(columns)
    first = _width(shown[0], rows)
    while True:
        room = width - sum(_width(column, rows) + GAP for column in shown[1:])
        out = min((column for column in shown if column.drop_order), key=_drop_order, default=None)
        if room >= min(first, _ROOM) or out is None:
            return shown, max(1, min(first, room))
        shown.remove(out)


def shortened(text: str, width: int) -> str:
    """A text cut in its middle to a width: both ends stay, as they tell names apart."""
    if len(text) <= width:
        return text
    kept = max(0, width - len(_CUT))
    end = kept // 2
    return text[: kept - end] + _CUT + text[len(text) - end :]


def _drop_order(column: Column) -> int:
    return column.drop_order


def _width(column: Column, rows: Sequence[Mapping[str, str]]) -> int:
    return max([len(column.title), *(len(row[column.name]) for row in rows)])
