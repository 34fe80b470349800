"""The order of the ranked views: value descending, ties by the item's name ascending."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from hashlib import sha256
from operator import itemgetter
from typing import Any, NamedTuple

from refresher.errors import OriginError
from shared.entry import VIEW_SEPARATOR
from shared.json_array import JsonArray
from shared.outcomes import FailureKind
from shared.resources.kinds import Item, Kind, Value


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
        names: of the items.
        texts: `[name, value]` as `json.dumps` writes it.
    """

    names: Sequence[str]
    texts: Sequence[str]


class Ranked(NamedTuple):
    """One ranking of a list.

    Args:
        digest: of all names and values; equal for equal rows, in any process.
        rows: returns the rows, best first.
    """

    digest: bytes
    rows: Callable[[], RankedRows]


def views_of(rows: Iterable[Row], kind: Kind) -> dict[str, JsonArray]:
    """Every view of a list by the name of its ranking, best first, as `json.dumps` writes it."""
    return {
        name: JsonArray.join((text.encode() for text in found.rows().texts), VIEW_SEPARATOR)
        for name, found in ranked(rows, kind)
    }


def ranked(rows: Iterable[Row], kind: Kind) -> Iterator[tuple[str, Ranked]]:
    """The name and the rows of each ranking of a kind.

    Written for 7,000 rows: whole columns at once, without a call for each row.
    """
    by_name = sorted(rows, key=itemgetter(0))
    names = [row.name for row in by_name]
    quoted = [_quoted(name) for name in names]
    of_names = sha256("".join(quoted).encode())
    for at, ranking in enumerate(kind.rankings):
        values = [row.values[at] for row in by_name]
        is_of_numbers = set(map(type, values)) <= {int}
        written = list(map(str if is_of_numbers else json.dumps, values))
        digest = of_names.copy()
        digest.update(",".join([str(ranking.version), *written]).encode())
        yield (
            ranking.name,
            Ranked(digest.digest()[:16], partial(_ranked, names, quoted, values, written)),
        )


def _ranked(
    names: Sequence[str], quoted: Sequence[str], values: Sequence[Value], written: Sequence[str]
) -> RankedRows:
    kinds = set(map(type, values))
    is_plain = kinds <= {int} or kinds <= {str}
    keys: Sequence[Any] = values if is_plain else [_order(value) for value in values]
    # The sort is stable, so that ties stay in the order of their names.
    order = sorted(range(len(names)), key=keys.__getitem__, reverse=True)
    texts = [f"[{quoted[one]}, {written[one]}]" for one in order]
    return RankedRows([names[one] for one in order], texts)


@lru_cache(maxsize=65536)
def _quoted(name: str) -> str:
    return json.dumps(name)


def _order(value: Value) -> tuple[bool, int, str]:
    """A key that compares within a ranking; what has no value comes below all that has one."""
    if isinstance(value, str):
        return True, 0, value
    return value is not None, value or 0, ""
