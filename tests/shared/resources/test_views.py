"""Every view belongs to a ranking, and every ranking to a kind of list."""

import pytest

from shared.resources.kinds import REPOSITORIES
from shared.resources.views import rankings


@pytest.mark.parametrize(
    ("name", "member", "value", "missing"),
    [
        ("forks", "forks_count", 3, 0),
        ("last_updated", "updated_at", "2024-01-01T00:00:00Z", None),
        ("open_issues", "open_issues_count", 3, 0),
        ("stars", "stargazers_count", 3, 0),
        ("watchers", "watchers_count", 3, 0),
    ],
)
def test_repositories_are_ranked_by(name: str, member: str, value: object, missing: object) -> None:
    kind, ranking = rankings()[name]
    assert kind is REPOSITORIES
    assert ranking.value({member: value}) == value
    assert ranking.value({}) == ranking.value({member: []}) == missing
