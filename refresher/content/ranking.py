"""The order of the ranked views: value descending, ties by full name ascending."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from refresher.errors import OriginError
from shared.entry import VIEW_SEPARATOR
from shared.json_array import JsonArray
from shared.outcomes import FailureKind
from shared.resources.views import Metric

Value = int | str | None


class Ranks:
    """What the views need to know of one repository.

    Args:
        full_name: owner and name, as GitHub spells them.
        values: the value of each metric; None where GitHub gives none.
    """

    __slots__ = ("full_name", "values")

    def __init__(self, full_name: str, values: Mapping[Metric, Value]) -> None:
        self.full_name = full_name
        self.values = values


def ranks_of(repository: Mapping[str, Any]) -> Ranks:
    """What the views need of GitHub's repository object.

    Raises:
        OriginError: it is not a repository.
    """
    full_name = repository.get("full_name")
    if not isinstance(full_name, str):
        raise OriginError(
            FailureKind.UNEXPECTED, "GitHub's list of repositories holds another thing"
        )
    return Ranks(full_name, {metric: _value(repository, metric) for metric in Metric})


def rank(repositories: Iterable[Ranks]) -> dict[Metric, JsonArray]:
    """Every view, best first, as the bytes of `json.dumps`."""
    rows = sorted(repositories, key=lambda row: row.full_name)
    return {metric: _ranked(rows, metric) for metric in Metric}


def _ranked(rows_by_name: list[Ranks], metric: Metric) -> JsonArray:
    # The sort is stable, so that ties stay in the order of their names.
    rows = sorted(rows_by_name, key=lambda row: _order(row.values[metric]), reverse=True)
    pairs = (json.dumps([row.full_name, row.values[metric]]).encode() for row in rows)
    return JsonArray.join(pairs, VIEW_SEPARATOR)


def _order(value: Value) -> tuple[bool, int, str]:
    """A key that compares within a metric, with what has no value below all that has."""
    if isinstance(value, str):
        return True, 0, value
    return value is not None, value or 0, ""


def _value(repository: Mapping[str, Any], metric: Metric) -> Value:
    """Counts that GitHub leaves out are 0; times are ISO 8601 in UTC and order as text."""
    value = repository.get(metric.github_field)
    if metric is Metric.LAST_UPDATED:
        return value if isinstance(value, str) else None
    return value if isinstance(value, int) else 0
