"""The order of the ranked views: value descending, ties by the item's name ascending."""

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial

from refresher.errors import OriginError
from shared.entry import VIEW_SEPARATOR
from shared.json_array import JsonArray
from shared.outcomes import FailureKind
from shared.resources.kinds import Item, Kind, Value


class Row:
    """What the views need to know of one item; the item itself is not kept.

    Args:
        name: of the item, as GitHub spells it.
        values: what it is ranked by, one value for each ranking of its kind.
    """

    __slots__ = ("name", "values")

    def __init__(self, name: str, values: tuple[Value, ...]) -> None:
        self.name = name
        self.values = values


def row_of(item: Item, kind: Kind) -> Row:
    """What the views of a list need to know of an item.

    Raises:
        OriginError: the item has no name.
    """
    name = item.get(kind.named_by)
    if not isinstance(name, str):
        reason = f"an item of GitHub's list of {kind.name} has no {kind.named_by}"
        raise OriginError(FailureKind.UNEXPECTED, reason)
    return Row(name, tuple(ranking.value(item) for ranking in kind.rankings))


def views_of(rows: Iterable[Row], kind: Kind) -> dict[str, JsonArray]:
    """Every view of a list by the name of its ranking, best first, as `json.dumps` writes it."""
    return {
        name: JsonArray.join((text for _, text in pairs), VIEW_SEPARATOR)
        for name, pairs in ranked(rows, kind)
    }


def ranked(rows: Iterable[Row], kind: Kind) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """The name of each ranking of a kind, and the items in its order: name and text of the row."""
    by_name = sorted(rows, key=lambda row: row.name)
    for at, ranking in enumerate(kind.rankings):
        # The sort is stable, so that ties stay in the order of their names.
        ordered = sorted(by_name, key=partial(_order_of, at=at), reverse=True)
        yield ranking.name, [(row.name, _text(row.name, row.values[at])) for row in ordered]


def _text(name: str, value: Value) -> bytes:
    """`json.dumps([name, value])`, which takes five times as long."""
    written = str(value) if type(value) is int else json.dumps(value)
    return f"[{_quoted(name)}, {written}]".encode()


@lru_cache(maxsize=65536)
def _quoted(name: str) -> str:
    return json.dumps(name)


def _order_of(row: Row, *, at: int) -> tuple[bool, int, str]:
    return _order(row.values[at])


def _order(value: Value) -> tuple[bool, int, str]:
    """A key that compares within a ranking; what has no value comes below all that has one."""
    if isinstance(value, str):
        return True, 0, value
    return value is not None, value or 0, ""
