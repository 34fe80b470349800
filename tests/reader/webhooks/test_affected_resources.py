"""Which tracked resources an event affects, and which item of a list it names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.webhooks.affected_resources import affected
from reader.webhooks.touched_scopes import touched_scopes
from shared.resources import kinds
from shared.resources.catalogue import Catalogue

# The events of these rows are written out below, whatever else is tracked.
KINDS = (kinds.ROOT, kinds.ORGANISATION, kinds.MEMBERS, kinds.REPOSITORIES)
CATALOGUE = Catalogue(("Netflix", "Google"), kinds=KINDS)
ABOUT, MEMBERS, REPOS = "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/repos"
OF_REPOSITORY = {"repository": {"id": 7, "owner": {"login": "netflix"}}}
OF_ORGANISATION = {"organization": {"login": "Netflix"}}


@pytest.mark.parametrize(
    ("event", "payload", "found"),
    [
        *((event, OF_REPOSITORY, {REPOS: 7}) for event in (
            "star", "watch", "fork", "issues", "pull_request", "push", "release", "create")),
        ("repository", OF_REPOSITORY | {"action": "edited"}, {REPOS: 7}),
        ("repository", OF_REPOSITORY | {"action": "privatized"}, {ABOUT: None, REPOS: 7}),
        ("repository", OF_REPOSITORY | {"action": {"odd": []}}, {REPOS: 7}),
        ("public", OF_REPOSITORY, {ABOUT: None, REPOS: 7}),
        ("member", OF_ORGANISATION | {"member": {"id": 3}}, {ABOUT: None, MEMBERS: 3}),
        ("membership", OF_ORGANISATION | {"member": {"id": 3}}, {ABOUT: None, MEMBERS: 3}),
        ("organization", OF_ORGANISATION | {"membership": {"user": {"id": 3}}},
         {ABOUT: None, MEMBERS: 3}),
        ("organization", OF_ORGANISATION, {ABOUT: None, MEMBERS: None}),
        ("star", {"repository": {"id": "odd", "owner": {"login": "netflix"}}}, {REPOS: None}),
        ("member", OF_ORGANISATION | {"member": {"id": True}}, {ABOUT: None, MEMBERS: None}),
        ("member", OF_ORGANISATION | {"member": {"id": 3.0}}, {ABOUT: None, MEMBERS: None}),
        ("member", OF_ORGANISATION | {"member": [{"id": 3}]}, {ABOUT: None, MEMBERS: None}),
        ("ping", OF_ORGANISATION, {}),
        ("issue_comment", OF_REPOSITORY, {}),
        ("star", {"repository": {"owner": {"login": "somebody-else"}}}, {}),
        ("star", {"repository": "odd"}, {}),
        ("star", {}, {}),
    ],
)  # fmt: skip
def test_an_event_affects_just_these(
    event: str, payload: dict[str, Any], found: dict[str, int | None]
) -> None:
    assert {one.resource.name: one.item for one in affected(event, payload, CATALOGUE)} == found
    assert all(one.resource.tracked for one in affected(event, payload, CATALOGUE))


def test_a_transfer_affects_both_organisations_and_a_new_name_the_old_one() -> None:
    former = {"changes": {"owner": {"from": {"organization": {"login": "NETFLIX"}}}}}
    payload = {"repository": {"id": 7, "owner": {"login": "Google"}}, "action": "transferred"}
    found = affected("repository", payload | former, CATALOGUE)
    assert {one.resource.name: one.item for one in found} == {
        "/orgs/Netflix": None,
        "/orgs/Netflix/repos": 7,
        "/orgs/Google": None,
        "/orgs/Google/repos": 7,
    }
    payload = {"organization": {"login": "a-new-name"}, "action": "renamed"}
    found = affected(
        "organization", payload | {"changes": {"login": {"from": "Netflix"}}}, CATALOGUE
    )
    assert [one.resource.name for one in found] == [ABOUT, MEMBERS]


EVENTS = sorted({event.name for kind in KINDS for event in kind.events})
MEMBERS_READ = ["action", "id", "login", "member", "membership", "organization", "owner",
                "repository", "user"]  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["netflix", "", "x"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(MEMBERS_READ), inner),
    max_leaves=20,
)
payloads = st.dictionaries(st.sampled_from(MEMBERS_READ), json_values)


@given(st.sampled_from(EVENTS), payloads | payloads.map(lambda one: one | OF_ORGANISATION))
def test_whatever_an_event_holds_it_names_an_item_of_a_list_or_none(
    event: str, payload: dict[str, Any]
) -> None:
    for one in affected(event, payload, CATALOGUE):
        assert one.item is None or (type(one.item) is int and one.resource.kind.is_expanded)


TRACKING = Catalogue(
    ("Netflix",),
    track=(
        *("/repos/netflix/hystrix/releases", "/repos/netflix/hystrix/issues?state=all"),
        *("/repos/netflix/hystrix", "/repos/netflix/eureka/releases", "/repositories/7/pulls"),
        *("/orgs/google/repos", "/orgs/google/public_members", "/users/octocat", "/licenses"),
    ),
)
HYSTRIX = {"repository": {"id": 7, "name": "Hystrix", "owner": {"login": "Netflix"}}}
OF_GOOGLE = {"organization": {"login": "Google"}}


@pytest.mark.parametrize(
    ("event", "payload", "found"),
    [
        ("release", HYSTRIX | {"release": {"id": 3}}, {"releases": 3}),
        ("release", HYSTRIX, {"releases": None}),
        ("issues", HYSTRIX | {"issue": {"id": 3}}, {"issues?state=all": 3, "": None}),
        ("issue_comment", HYSTRIX | {"issue": {"id": 3}},
         {"issues?state=all": 3, "/repositories/7/pulls": None}),
        ("pull_request", HYSTRIX | {"pull_request": {"id": 3}},
         {"issues?state=all": None, "": None, "/repositories/7/pulls": 3}),
        ("label", HYSTRIX | {"label": {"id": 3}},
         {"issues?state=all": None, "/repositories/7/pulls": None}),
        ("repository", HYSTRIX | {"action": "privatized"},
         {"releases": None, "issues?state=all": None, "": None, "/repositories/7/pulls": None}),
        ("star", HYSTRIX | {"sender": {"login": "octocat"}}, {"": None}),
        ("star", {"repository": {"id": 9, "name": "x", "owner": {"login": "google"}}},
         {"/orgs/google/repos": 9}),
        ("member", OF_GOOGLE | {"member": {"login": "octocat"}},
         {"/orgs/google/public_members": None, "/users/octocat": None}),
        ("ping", HYSTRIX, {}),
    ],
)  # fmt: skip
def test_an_event_affects_the_paths_of_track_in_the_scopes_that_it_touches(
    event: str, payload: dict[str, Any], found: dict[str, int | None]
) -> None:
    scopes = touched_scopes(event, payload, include_private=False)
    affecting = affected(event, payload, TRACKING, scopes)
    named = {one.resource.name: one.item for one in affecting if one.resource.kind.is_named}
    here = "/repos/netflix/hystrix"
    expected = {
        name if name.startswith("/") else f"{here}/{name}".rstrip("/"): item
        for name, item in found.items()
    }
    assert named == expected
