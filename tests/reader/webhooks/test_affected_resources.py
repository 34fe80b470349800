"""Which tracked resources an event touches."""

from typing import Any

import pytest

from reader.webhooks.affected_resources import touched
from shared.resources.resource import Catalogue

CATALOGUE = Catalogue(("Netflix", "Google"))
ABOUT, MEMBERS, REPOS = "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/repos"
OF_REPOSITORY = {"repository": {"owner": {"login": "netflix"}}}
OF_ORGANISATION = {"organization": {"login": "Netflix"}}


@pytest.mark.parametrize(
    ("event", "payload", "names"),
    [
        *((event, OF_REPOSITORY, [REPOS]) for event in (
            "star", "watch", "fork", "issues", "pull_request", "push", "release", "create")),
        ("repository", OF_REPOSITORY | {"action": "edited"}, [REPOS]),
        ("repository", OF_REPOSITORY | {"action": "privatized"}, [REPOS, ABOUT]),
        ("repository", OF_REPOSITORY | {"action": {"odd": []}}, [REPOS]),
        ("public", OF_REPOSITORY, [REPOS, ABOUT]),
        *((event, OF_ORGANISATION, [MEMBERS, ABOUT]) for event in (
            "member", "membership", "organization")),
        ("ping", OF_ORGANISATION, []),
        ("issue_comment", OF_REPOSITORY, []),
        ("star", {"repository": {"owner": {"login": "somebody-else"}}}, []),
        ("star", {"repository": "odd"}, []),
        ("star", {}, []),
    ],
)  # fmt: skip
def test_an_event_touches_just_these(event: str, payload: dict[str, Any], names: list[str]) -> None:
    assert [resource.name for resource in touched(event, payload, CATALOGUE)] == names
    assert all(resource.tracked for resource in touched(event, payload, CATALOGUE))
