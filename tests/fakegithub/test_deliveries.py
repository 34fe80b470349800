"""The stand-in remembers deliveries, lists them to whoever may see them, and sends them again."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.signing import app_entry, app_jwt
from tests.waiting import eventually

NOWHERE = "http://127.0.0.1:1/webhooks/github"
HOOKS = "/orgs/Netflix/hooks"
VIEWERS = {
    "ghp_hooks": {"role": "owner", "scopes": "admin:org_hook"},
    "ghp_repo": {"role": "owner", "scopes": "repo"},
}


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    hook = {"url": NOWHERE, "secret": "s", "lost": 1, "id": 7}
    apps = [app_entry()]
    with FakeGitHub(repos=3, members=1, hook=hook, viewers=VIEWERS, apps=apps) as github:
        yield github


def ask(
    github: FakeGitHub, path: str, token: str = "ghp_hooks", method: str = "GET"
) -> requests.Response:
    fields = {"Authorization": f"Bearer {token}"}
    return requests.request(method, github.url + path, headers=fields, timeout=60)


def test_owners_with_the_scope_see_webhooks_and_others_get_a_404(github: FakeGitHub) -> None:
    [hook] = ask(github, HOOKS).json()
    assert (hook["id"], hook["config"]["url"], hook["config"]["secret"]) == (7, NOWHERE, "********")
    for path in (HOOKS, f"{HOOKS}/7/deliveries"):
        assert ask(github, path, "ghp_repo").status_code == 404
        assert requests.get(github.url + path, timeout=60).status_code == 404
    assert ask(github, f"{HOOKS}/8/deliveries").status_code == 404


def test_deliveries_are_listed_by_cursor_with_the_newest_first(github: FakeGitHub) -> None:
    for _ in range(5):
        github.mutate("star", repo=1, by=1)
    url, pages = f"{github.url}{HOOKS}/7/deliveries?per_page=2", []
    while url:
        response = ask(github, url.removeprefix(github.url))
        pages.append([one["id"] for one in response.json()])
        url = response.links.get("next", {}).get("url", "")
    assert [len(page) for page in pages] == [2, 2, 1]
    ids = [number for page in pages for number in page]
    assert ids == sorted(ids, reverse=True)
    assert {one["status_code"] for one in github.deliveries()} == {502}
    assert ask(github, f"{HOOKS}/7/deliveries?status=success").json() == []


def test_a_delivery_is_sent_again_with_the_same_guid(github: FakeGitHub) -> None:
    github.mutate("star", repo=1, by=1)
    [first] = github.deliveries()
    path = f"{HOOKS}/7/deliveries/{first['id']}/attempts"
    assert ask(github, path, "ghp_repo", "POST").status_code == 404
    assert ask(github, path, method="POST").status_code == 202
    eventually(lambda: len(github.deliveries()) == 2)
    again = github.deliveries()[0]
    assert (again["guid"], again["redelivery"]) == (first["guid"], True)
    assert again["id"] != first["id"]
    assert ask(github, f"{HOOKS}/7/deliveries/1/attempts", method="POST").status_code == 404


def test_an_app_s_webhook_is_shown_to_its_jwt_only(github: FakeGitHub) -> None:
    hook: dict[str, Any] = {"url": NOWHERE, "secret": "s", "lost": 1, "of": "app"}
    github.configure(hook=hook, tokens=[])
    github.mutate("star", repo=1, by=1)
    assert ask(github, "/app/hook/config", app_jwt()).json()["url"] == NOWHERE
    [one] = ask(github, "/app/hook/deliveries", app_jwt()).json()
    attempts = f"/app/hook/deliveries/{one['id']}/attempts"
    assert ask(github, attempts, app_jwt(), "POST").status_code == 202
    assert ask(github, "/app/hook/deliveries").status_code == 401
