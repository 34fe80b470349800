"""The order of the ranked views: value descending, ties by the item's name ascending."""

import json
from collections.abc import Iterable

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
    by_name = sorted(rows, key=lambda row: row.name)
    return {ranking.name: _view(by_name, at) for at, ranking in enumerate(kind.rankings)}


def _view(by_name: list[Row], at: int) -> JsonArray:
    # The sort is stable, so that ties stay in the order of their names.
    rows = sorted(by_name, key=lambda row: _order(row.values[at]), reverse=True)
    pairs = (json.dumps([row.name, row.values[at]]).encode() for row in rows)
    return JsonArray.join(pairs, VIEW_SEPARATOR)


def _order(value: Value) -> tuple[bool, int, str]:
    """A key that compares within a ranking; what has no value comes below all that has one."""
    if isinstance(value, str):
        return True, 0, value
    return value is not None, value or 0, ""
