"""The ranked views: what repositories can be ranked by."""

from enum import StrEnum


class Metric(StrEnum):
    """What a view ranks repositories by, as its path spells it."""

    FORKS = "forks"
    LAST_UPDATED = "last_updated"
    OPEN_ISSUES = "open_issues"
    STARS = "stars"
    WATCHERS = "watchers"

    @property
    def github_field(self) -> str:
        """The member of GitHub's repository object that holds the value."""
        return _GITHUB_FIELDS[self]


_GITHUB_FIELDS = {
    Metric.FORKS: "forks_count",
    Metric.LAST_UPDATED: "updated_at",
    Metric.OPEN_ISSUES: "open_issues_count",
    Metric.STARS: "stargazers_count",
    Metric.WATCHERS: "watchers_count",
}
