"""The order of the ranked views: value descending, ties by the item's name ascending."""

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quoted  # what `json.dumps` calls for a text
from operator import itemgetter
from typing import Any, NamedTuple

from refresher.errors import OriginError
from shared.entry import VIEW_SEPARATOR
from shared.json_array import JsonArray
from shared.outcomes import FailureKind
from shared.resources.kinds import Item, Kind, Value
from shared.segments import DIGEST_SIZE, borders

USUAL_ROWS = 256  # of a segment of a view: about 10 kB


class Row(NamedTuple):
    """What the views need to know of one item; the item itself is not kept.

    Args:
        name: of the item, as GitHub spells it.
        values: what it is ranked by, one value for each ranking of its kind.
    """

    name: str
    values: Sequence[Value]


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


class RankedRows(NamedTuple):
    """A view's rows, best first.

    Args:
        texts: `[name, value]` as `json.dumps` writes it.
        ends: a byte for each: 1 if a segment ends with it, 0 if not.
    """

    texts: Sequence[str]
    ends: bytes


class Place:
    """Where a row comes in a view: the best is the least.

    Args:
        name: of the item.
        value: what it is ranked by.
    """

    __slots__ = ("name", "order")

    def __init__(self, name: str, value: Value) -> None:
        self.name, self.order = name, _order(value)

    def __lt__(self, other: "Place") -> bool:
        if self.order != other.order:
            return other.order < self.order
        return self.name < other.name


class Ranker:
    """Ranks the rows of a list.

    Written for 7,000 rows: whole columns at once, without a call for each row.

    Args:
        rows: of all items.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = sorted(rows, key=itemgetter(0))
        names = [row.name for row in self._rows]
        self._quoted = list(map(quoted, names))
        self._ends = borders(names, usual=USUAL_ROWS)

    def ranked(self, at: int) -> RankedRows:
        """The view of one ranking.

        Args:
            at: its place among those of the kind.
        """
        values = [row.values[at] for row in self._rows]
        kinds = set(map(type, values))
        written = list(map(str if kinds <= {int} else _written, values))
        is_plain = kinds <= {int} or kinds <= {str}
        keys: Sequence[Any] = values if is_plain else [_order(value) for value in values]
        # The sort is stable, so that ties stay in the order of their names.
        order = sorted(range(len(values)), key=keys.__getitem__, reverse=True)
        texts = [f"[{self._quoted[one]}, {written[one]}]" for one in order]
        return RankedRows(texts, bytes(map(self._ends.__getitem__, order)))


def views_of(rows: Iterable[Row], kind: Kind) -> dict[str, JsonArray]:
    """Every view of a list by the name of its ranking, best first, as `json.dumps` writes it."""
    ranker = Ranker(rows)
    return {
        ranking.name: JsonArray.join(
            (text.encode() for text in ranker.ranked(at).texts), VIEW_SEPARATOR
        )
        for at, ranking in enumerate(kind.rankings)
    }


def text_of(name: str, value: Value) -> str:
    """A row of a view, as `json.dumps` writes it."""
    return f"[{quoted(name)}, {_written(value)}]"


def _written(value: Value) -> str:
    if value is None:
        return "null"
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def digests_of(rows: Sequence[Row], kind: Kind) -> list[bytes]:
    """A digest of the names and values of rows, in their order, for each ranking of their kind."""
    names = "".join(quoted(row.name) for row in rows)
    return [
        sha256(f"{names}{json.dumps([row.values[at] for row in rows])}".encode()).digest()[
            :DIGEST_SIZE
        ]
        for at in range(len(kind.rankings))
    ]


def _order(value: Value) -> tuple[bool, int, str]:
    """A key that compares within a ranking; what has no value comes below all that has one."""
    if isinstance(value, str):
        return True, 0, value
    return value is not None, value or 0, ""
