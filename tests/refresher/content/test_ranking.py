"""Views are ordered by value, highest first, and by full name if values are equal."""

import json
from collections.abc import Sequence
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refresher.content.ranking import row_of, views_of
from refresher.errors import OriginError
from shared.json_array import JsonArray, first_of, last_of
from shared.outcomes import FailureKind
from shared.resources.kinds import REPOSITORIES
from tests.refresher.workbench import property_test

FIELDS = {
    "forks": "forks_count",
    "last_updated": "updated_at",
    "open_issues": "open_issues_count",
    "stars": "stargazers_count",
    "watchers": "watchers_count",
}
# Few of each, so that there are ties; in full names what sorts differently by locale or case.
names = st.text(["a", "A", "b", "-", "_", "é", "Ж", "\U0001f600", "\ud800"], max_size=3)
counts = st.one_of(st.integers(0, 3), st.just(10**30), st.none(), st.just("many"))
times = st.one_of(
    st.sampled_from(["2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z", "2025-12-31T23:59:59Z", ""]),
    st.none(),
    st.just(5),
)


def ranked(repositories: Sequence[dict[str, Any]]) -> dict[str, JsonArray]:
    """The views of a list of repositories."""
    return views_of([row_of(one, REPOSITORIES) for one in repositories], REPOSITORIES)


@st.composite
def repositories(draw: st.DrawFn) -> dict[str, Any]:
    """A repository object with any of the members present."""
    repository: dict[str, Any] = {"full_name": f"Netflix/{draw(names)}"}
    for metric, field in FIELDS.items():
        if draw(st.booleans()):
            repository[field] = draw(times if metric == "last_updated" else counts)
    return repository


def expected(repositories: list[dict[str, Any]], metric: str) -> list[list[Any]]:
    """The view, by a comparison that follows the specification word by word."""

    def shown(repository: dict[str, Any]) -> Any:
        value = repository.get(FIELDS[metric])
        if metric == "last_updated":
            return value if isinstance(value, str) else None
        return value if isinstance(value, int) else 0

    def compare(one: list[Any], other: list[Any]) -> int:
        (name, value), (other_name, other_value) = one, other
        if value != other_value:
            if value is None or other_value is None:
                return 1 if value is None else -1
            return -1 if value > other_value else 1
        points, other_points = list(map(ord, name)), list(map(ord, other_name))
        return (points > other_points) - (points < other_points)

    rows = [[repository["full_name"], shown(repository)] for repository in repositories]
    return sorted(rows, key=cmp_to_key(compare))


@property_test
@given(st.lists(repositories(), max_size=12), st.integers(1, 14))
def test_every_view_is_what_json_dumps_writes_of_the_ordered_list(
    repositories: list[dict[str, Any]], count: int
) -> None:
    views = ranked(repositories)
    assert views.keys() >= FIELDS.keys()
    for metric in FIELDS:
        rows = expected(repositories, metric)
        assert views[metric].body == json.dumps(rows).encode()
        assert first_of(views[metric], count) == json.dumps(rows[:count]).encode()
        assert last_of(views[metric], count) == json.dumps(rows[-count:]).encode()


@property_test
@given(st.data())
def test_the_order_that_github_lists_them_in_does_not_matter(data: st.DataObject) -> None:
    unique = st.lists(repositories(), max_size=6, unique_by=lambda one: str(one["full_name"]))
    rows = data.draw(unique)
    before, after = ranked(rows), ranked(data.draw(st.permutations(rows)))
    assert {m: view.body for m, view in before.items()} == {m: v.body for m, v in after.items()}


def test_a_golden_view() -> None:
    rows: list[dict[str, Any]] = [
        {"full_name": "Netflix/eureka", "stargazers_count": 7},
        {"full_name": "Netflix/Hystrix", "stargazers_count": 21},
        {"full_name": "Netflix/Zuul", "stargazers_count": 7},
        {"full_name": "Netflix/no-stars"},
    ]
    assert ranked(rows)["stars"].body == (
        b'[["Netflix/Hystrix", 21], ["Netflix/Zuul", 7], ["Netflix/eureka", 7],'
        b' ["Netflix/no-stars", 0]]'
    )


def test_what_was_never_updated_comes_last_and_is_null() -> None:
    rows = [
        {"full_name": "Netflix/a"},
        {"full_name": "Netflix/b", "updated_at": "2024-01-01T00:00:00Z"},
        {"full_name": "Netflix/c", "updated_at": "2025-01-01T00:00:00Z"},
    ]
    assert json.loads(ranked(rows)["last_updated"].body) == [
        ["Netflix/c", "2025-01-01T00:00:00Z"],
        ["Netflix/b", "2024-01-01T00:00:00Z"],
        ["Netflix/a", None],
    ]


def test_no_repositories_make_empty_views() -> None:
    names = [ranking.name for ranking in REPOSITORIES.rankings]
    assert {name: view.body for name, view in ranked([]).items()} == dict.fromkeys(names, b"[]")


@pytest.mark.parametrize("value", [{}, {"full_name": None}, {"full_name": 5}])
def test_what_has_no_full_name_is_no_repository(value: dict[str, Any]) -> None:
    with pytest.raises(OriginError) as refused:
        row_of(value, REPOSITORIES)
    assert refused.value.kind is FailureKind.UNEXPECTED
