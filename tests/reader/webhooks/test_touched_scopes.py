"""Which scopes an event touches: names, ids, areas, former names; never what is hidden."""

from typing import Any

import pytest

from reader.webhooks.touched_scopes import touched_scopes

ACCOUNT = {"login": "Netflix", "id": 913567}
REPOSITORY = {"id": 2126, "name": "Hystrix", "owner": ACCOUNT}
OF_REPOSITORY: dict[str, Any] = {"repository": REPOSITORY}
WHOLE = ["repo:netflix/hystrix", "repo:#2126"]


def touched(event: str, payload: dict[str, Any], *, include_private: bool = False) -> list[str]:
    """The scopes of an event."""
    return touched_scopes(event, payload, include_private=include_private)


@pytest.mark.parametrize("event", ["push", "create", "delete", "public", "repository", "new_one"])
def test_these_touch_the_whole_repository_by_name_and_by_id(event: str) -> None:
    assert touched(event, OF_REPOSITORY)[:2] == WHOLE


@pytest.mark.parametrize(
    ("event", "areas"),
    [
        ("issues", {"issues", "about", "events"}),
        ("issue_comment", {"issues", "pull", "pulls", "events"}),
        ("label", {"issues", "pull", "pulls"}),
        ("milestone", {"issues", "pull", "pulls"}),
        ("pull_request", {"issues", "pull", "pulls", "about", "events", "refs", "comments"}),
        ("pull_request_review", {"issues", "pull", "pulls", "events"}),
        ("commit_comment", {"comments", "code", "events"}),
        ("release", {"releases", "code", "refs", "events"}),
        ("status", {"checks", "pull"}),
        ("check_run", {"checks", "pull"}),
        ("check_suite", {"checks", "pull"}),
        ("workflow_run", {"actions", "checks", "pull"}),
        ("workflow_job", {"actions", "checks", "pull"}),
        ("star", {"stars", "about", "events"}),
        ("fork", {"forks", "about", "events"}),
        ("member", {"about", "issues", "events"}),
        ("team", {"about", "issues"}),
        ("deployment_status", {"deployments", "actions", "issues"}),
        ("dependabot_alert", set()),
        ("ping", set()),
    ],
)
def test_these_touch_only_areas(event: str, areas: set[str]) -> None:
    found = touched(event, OF_REPOSITORY)
    for whole in WHOLE:
        own = {one.removeprefix(f"{whole} ") for one in found if one.startswith(f"{whole} ")}
        assert own == areas
        assert whole not in found


def test_an_event_touches_the_lists_of_its_owner_and_its_sender() -> None:
    found = touched("star", OF_REPOSITORY | {"sender": {"login": "Bob", "id": 3}})
    assert {one for one in found if one.startswith("owner:")} == {
        *("owner:netflix events", "owner:netflix repos"),
        *("owner:#913567 events", "owner:#913567 repos"),
        *("owner:bob events", "owner:bob starred", "owner:#3 events", "owner:#3 starred"),
    }


def test_a_membership_touches_the_organisation_and_the_member() -> None:
    payload = {"organization": ACCOUNT, "membership": {"user": {"login": "Bob"}}}
    found = touched("organization", payload | {"action": "member_added"})
    assert {"owner:netflix members", "owner:netflix about", "owner:bob orgs"} <= set(found)
    assert "owner:netflix" not in found


def test_a_renamed_repository_touches_its_former_name() -> None:
    changes = {"repository": {"name": {"from": "Old"}}}
    found = touched("repository", OF_REPOSITORY | {"action": "renamed", "changes": changes})
    assert {*WHOLE, "repo:netflix/old"} <= set(found)


@pytest.mark.parametrize("kind", ["user", "organization"])
def test_a_transferred_repository_touches_its_former_owner(kind: str) -> None:
    changes = {"owner": {"from": {kind: {"login": "Former", "id": 5}}}}
    found = touched("repository", OF_REPOSITORY | {"action": "transferred", "changes": changes})
    assert {*WHOLE, "repo:former/hystrix", "owner:former repos", "owner:#5 repos"} <= set(found)


def test_a_renamed_organisation_touches_all_that_belongs_to_either_name() -> None:
    changes = {"login": {"from": "OldFlix"}}
    payload = {"organization": ACCOUNT, "action": "renamed", "changes": changes}
    found = touched("organization", payload)
    assert {"owner:oldflix", "owner:netflix", "owner:#913567"} <= set(found)


def test_a_private_repository_is_not_named_except_by_what_made_it_private() -> None:
    private = {"repository": REPOSITORY | {"private": True}}
    assert not touched("push", private)
    assert touched("push", private, include_private=True)[:2] == WHOLE
    assert not touched("repository", private | {"action": "created"})[2:]
    assert touched("repository", private | {"action": "privatized"})[:2] == WHOLE


def test_no_event_touches_more_than_a_few_scopes() -> None:
    payload = OF_REPOSITORY | {"sender": ACCOUNT, "organization": ACCOUNT}
    assert len(touched("repository", payload)) < 20
    assert len(touched("pull_request", payload)) < 40
