import pytest

from shared.resources.views import Metric


@pytest.mark.parametrize(
    ("metric", "field"),
    [
        ("forks", "forks_count"),
        ("last_updated", "updated_at"),
        ("open_issues", "open_issues_count"),
        ("stars", "stargazers_count"),
        ("watchers", "watchers_count"),
    ],
)
def test_each_metric_is_a_member_of_githubs_repository(metric: str, field: str) -> None:
    assert Metric(metric).github_field == field


def test_there_are_these_five_metrics_and_no_other() -> None:
    assert set(Metric) == {"forks", "last_updated", "open_issues", "stars", "watchers"}
