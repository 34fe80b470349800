"""The stand-in GitHub serves every documented operation to those whom GitHub's words admit."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tests.fakegithub import openapi_examples
from tests.fakegithub.access import access
from tests.fakegithub.api import all_pages, ask
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.forms import HOLDINGS, MERGE_SETTINGS, UNDOCUMENTED, hidden, seen, trimmed
from tests.fakegithub.openapi_examples import MORE_FOR, Operation, operation_targets
from tests.fakegithub.viewers import ANONYMOUS_VIEWER, Viewer
from tests.http_client import Response

REPO = "/repos/Netflix/Hystrix"
VIEWERS = {"stranger": {"role": "stranger"}, "member": {"role": "member"}}
EVERYBODY = [None, "stranger", "member", "owner"]


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(
        repos=25, private=2, members=12, anonymous_limit=10**6, token_limit=10**6, viewers=VIEWERS
    ) as server:
        yield server


@cache
def by_id() -> dict[str, Operation]:
    """The operations by their ids."""
    return {one.id: one for one in openapi_examples.operations()}


def with_bodies() -> list[tuple[str, str, str]]:
    """The targets of operations that have a JSON answer."""
    return [one for one in operation_targets() if one[0] in by_id()]


@pytest.fixture(scope="module")
def public(github: FakeGitHub) -> dict[str, Response]:
    """The responses to anonymous requests, by target."""
    return {target: ask(github, target) for _, _, target in with_bodies()}


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects of a body, at any depth."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from objects(item)


def longest(body: Any) -> int:
    """The number of items of a body's list, the longest if there are several."""
    if isinstance(body, list):
        return len(body)
    return max((len(value) for value in body.values() if isinstance(value, list)), default=0)


def test_all_operations_with_a_json_response_are_found_by_their_path() -> None:
    targets = operation_targets()
    assert len(targets) == len({name for name, _, _ in targets}) == 623
    for _, template, target in with_bodies():
        found = openapi_examples.match(target.partition("?")[0])
        assert found is not None
        # GitHub describes one path twice.
        assert found[0].template.replace("{base}...{head}", "{basehead}") == template.replace(
            "{base}...{head}", "{basehead}"
        )


def test_the_file_is_small_and_has_an_operation_a_line() -> None:
    text = openapi_examples.FILE.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    lines = text.splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("[", "]", 616)
    assert json.loads(lines[2].rstrip(","))["template"] == "/"


def test_owners_get_everything_except_what_is_for_apps(github: FakeGitHub) -> None:
    for name, _, target in with_bodies():
        expected = 401 if by_id()[name].who == "app" else 200
        assert ask(github, target, token="owner").status == expected, target


def test_anonymous_viewers_get_what_is_for_anyone_and_nothing_else(
    public: dict[str, Response],
) -> None:
    for name, _, target in with_bodies():
        status = public[target].status
        if by_id()[name].who == "anyone":
            assert status == 200, target
        else:
            assert status in (401, 403, 404), target


def test_what_anonymous_viewers_get_is_public_at_any_depth(public: dict[str, Response]) -> None:
    own = {"security_and_analysis", UNDOCUMENTED, "billing_email", *HOLDINGS, *MERGE_SETTINGS}
    for target, response in public.items():
        for one in objects(response.json):
            assert not own & set(one), target
            assert one.get("private") is not True, target
            assert one.get("visibility") in (None, "public"), target
            assert not ("tag_name" in one and one.get("draft")), target
            if "full_name" in one:
                assert "permissions" not in one, target
                assert one.get("temp_clone_token") is None, target
            if one.get("type") == "User" and "login" in one:
                assert one.get("email") is None, target


def test_strangers_get_no_item_more_than_anonymous_viewers(
    github: FakeGitHub, public: dict[str, Response]
) -> None:
    for name, _, target in with_bodies():
        own = name == "activity/get-feeds" or MORE_FOR.get(name) == "caller"
        if by_id()[name].who == "anyone" and not own:
            strange = ask(github, target, token="stranger")
            assert strange.status == 200
            assert longest(public[target].json) == longest(strange.json), target


@pytest.mark.parametrize("name", MORE_FOR)
def test_lists_hold_one_item_more_for_viewers_who_may_see_it(github: FakeGitHub, name: str) -> None:
    target = next(target for one, _, target in with_bodies() if one == name)
    public, owned = (ask(github, target, token=token) for token in (None, "owner"))
    if public.status == 200:
        assert longest(owned.json) == longest(public.json) + 1
    assert {"A private matter", "octocat/hidden", False} & {
        str(value) if value else value
        for one in objects(owned.json)
        for value in one.values()
        if isinstance(value, str | bool)
    }


def test_below_a_repository_that_is_not_there_nothing_is(github: FakeGitHub) -> None:
    private = next(repo for repo in github.repos(private=True) if repo["private"])
    for repo in (private["name"], "nope"):
        for _, template, target in operation_targets(repo=repo):
            if "{repo}" in template:
                for token in (None, "stranger"):
                    assert ask(github, target, token=token).status in (401, 404), target
    path = f"/repos/{private['full_name']}/branches"
    assert ask(github, path, token="member").status == 200
    assert ask(github, f"/repositories/{private['id']}/branches").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/orgs/nope/events", "/users/nope/followers", "/repos/nope/Hystrix/branches",
        f"{REPO}/issues/x", f"{REPO}/branches/", f"{REPO}/nope", "/advisories/a/b", "/nope",
        "/orgs/Netflix/memberships/nope",
    ],
)  # fmt: skip
def test_what_the_world_or_the_description_lacks_is_404(github: FakeGitHub, path: str) -> None:
    assert {ask(github, path, token=token).status for token in EVERYBODY} == {404}


def test_a_path_of_several_segments_is_one_parameter(github: FakeGitHub) -> None:
    for path in ("contents/docs/guide/start.md", "git/ref/heads/feature/login", "readme/docs"):
        assert ask(github, f"{REPO}/{path}").status == 200
    assert ask(github, f"{REPO}/commits/main/check-runs").json["total_count"] == 1


def test_lists_are_paged_where_github_pages_them(github: FakeGitHub) -> None:
    number = ask(github, REPO).json["id"]
    response = ask(github, f"{REPO}/issues/1/timeline?per_page=1", token="owner")
    assert response.links["next"] == (
        f"{github.url}/repositories/{number}/issues/1/timeline?per_page=1&page=2"
    )
    public = all_pages(github, f"{REPO}/issues/1/timeline?per_page=1")
    owned = all_pages(github, f"{REPO}/issues/1/timeline?per_page=1", token="owner")
    assert (len(public) + 1, owned[0]["event"]) == (len(owned), "cross-referenced")
    assert (
        "link" not in ask(github, "/licenses?per_page=1").headers
        or by_id()["licenses/get-all-commonly-used"].pages
    )


def all_items(github: FakeGitHub, path: str) -> list[Any]:
    """The items of a list of check runs that is held by an object."""
    items: list[Any] = []
    url: str | None = path
    while url:
        response = ask(github, url)
        items += response.json["check_runs"]
        url = response.links.get("next")
    return items


def test_watched_repositories_are_shown_to_nobody(github: FakeGitHub) -> None:
    login = github.members()[0]["login"]
    for token in EVERYBODY:
        assert ask(github, f"/users/{login}/subscriptions", token=token).json == []


def test_addresses_in_examples_are_those_of_other_bodies() -> None:
    with FakeGitHub(repos=1, members=1, public_base="http://ghe/api/v3") as github:
        url = ask(github, f"{REPO}/branches").json[0]["commit"]["url"]
        assert url.startswith("http://ghe/api/v3/repos/")


@pytest.mark.parametrize(
    ("template", "words", "statuses", "who"),
    [
        ("/emojis", "Lists all the emojis", [], "anyone"),
        ("/x", "Anyone with read access. You must be an administrator.", ["401"], "anyone"),
        ("/x", "The authenticated user must be an organization owner.", [], "owners"),
        ("/x", "Only users with push access can", [], "writers"),
        ("/x", "tokens need the `repo` scope to use this endpoint.", [], "writers"),
        (
            "/x",
            "need the `repo` scope to use this endpoint with a private repository",
            [],
            "anyone",
        ),
        ("/x", "need the read:org scope", [], "members"),
        ("/x", "visible to the authenticated user", [], "caller"),
        ("/x", "Gets it.", ["200", "401"], "caller"),
        ("/x", "You must use a [JWT](https://docs)", [], "app"),
        ("/user/keys", "Lists keys.", [], "caller"),
        ("/user/{account_id}", "Gets a user.", [], "anyone"),
        ("/repos/{owner}/{repo}/traffic/clones", "", ["403"], "writers"),
    ],
)
def test_who_may_ask_is_read_out_of_githubs_words(
    template: str, words: str, statuses: list[str], who: str
) -> None:
    assert access(template, words, statuses) == who


def test_an_example_is_trimmed_for_nobody_and_widened_for_an_owner() -> None:
    repository = {"id": 2, "full_name": "a/b", "private": True, "permissions": {"admin": True}}
    release = {"tag_name": "v1", "draft": True, "author": {"login": "a", "email": "a@b.c"}}
    user = {"login": "a", "type": "User", "email": "a@b.c", "plan": {}}
    rules = {"id": 1, "bypass_actors": []}
    body = [repository, release, user, rules]
    public = trimmed(body, ANONYMOUS_VIEWER)
    assert public == seen(public, ANONYMOUS_VIEWER)
    assert public == [
        {"id": 2, "full_name": "a/b", "private": False},
        {"tag_name": "v1", "draft": False, "author": {"login": "a", "email": "a@b.c"}},
        {"login": "a", "type": "User", "email": None},
        {"id": 1},
    ]
    owner = Viewer()
    owned = seen(trimmed(body, owner), owner)
    assert owned[0]["permissions"]["admin"]
    assert owned[2]["email"] == "a@people.example.com"
    assert [UNDOCUMENTED in one for one in owned] == [True, True, True, False]
    assert owned[3] == rules


def test_a_hidden_item_is_about_something_private() -> None:
    event = {"id": "1", "repo": {"name": "a/b", "url": "u"}, "actor": {}, "public": True}
    assert hidden(event) == event | {
        "public": False,
        "repo": {"name": "octocat/hidden", "url": "https://api.github.com/repos/octocat/hidden"},
    }
    assert hidden({"id": 1, "full_name": "a/b", "name": "b"}) == {
        "id": 1_000_001,
        "name": "hidden",
        "full_name": "octocat/hidden",
        "private": True,
        "visibility": "private",
    }


def test_no_example_refers_to_githubs_description() -> None:
    assert '"$ref"' not in openapi_examples.FILE.read_text(encoding="utf-8")
