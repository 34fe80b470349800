"""The stand-in GitHub behaves as GitHub does: its world, its resources, paging, redirects."""

import json
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.fakegithub.api import all_pages, ask
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.repo_bodies import minimal_repository
from tests.fakegithub.world_factory import WorldOptions, create_world

NOT_FOUND = {"message": "Not Found", "status": "404"}
REPOS = "/organizations/913567/repos"


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=25, members=12, anonymous_limit=10_000) as server:
        yield server


def test_the_same_seed_makes_the_same_world_and_another_seed_another() -> None:
    def names(seed: int) -> list[str]:
        world = create_world(WorldOptions(repos=60, members=5, seed=seed))
        org = world.accounts["netflix"]
        return [json.dumps(minimal_repository("", repo)) for repo in org.repos]

    assert names(1) == names(1)
    assert names(1) != names(2)


def test_the_default_world_has_unique_names_and_ids_and_ties_in_every_count() -> None:
    world = create_world(WorldOptions())
    repos = world.accounts["netflix"].repos
    assert len(repos) == len({repo.name.lower() for repo in repos}) == 250
    assert len(world.repos_by_id) == sum(len(a.repos) for a in world.accounts.values())
    assert len(world.accounts["netflix"].members) == 130
    assert [repo.created_at for repo in repos] == sorted(
        (repo.created_at for repo in repos), reverse=True
    )
    for count in ("stars", "forks", "open_issues", "updated_at"):
        values = Counter(getattr(repo, count) for repo in repos)
        assert sum(1 for times in values.values() if times > 1) >= 3, count
        assert len(values) > 50, count


def test_a_hundred_organisations_have_no_id_in_common() -> None:
    orgs = tuple(f"org{number}" for number in range(100))
    world = create_world(WorldOptions(orgs=orgs, repos=5, members=2))
    assert len(world.accounts) == len(world.accounts_by_id) == 303  # and GitHub's three
    assert len(world.repos_by_id) == sum(len(a.repos) for a in world.accounts.values())


@pytest.mark.parametrize(
    "path",
    [
        "/", "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/public_members",
        "/orgs/Netflix/repos", "/organizations/913567", "/organizations/913567/repos",
        "/organizations/913567/members", "/organizations/913567/public_members",
        "/users/Netflix", "/users/Netflix/repos", "/repos/Netflix/Hystrix",
        "/repos/Netflix/Hystrix/languages", "/repos/Netflix/Hystrix/contributors",
        "/repos/Netflix/Hystrix/issues", "/repos/Netflix/Hystrix/dependency-graph/sbom",
        "/rate_limit",
    ],
)  # fmt: skip
def test_every_path_answers_get_and_head_alike(github: FakeGitHub, path: str) -> None:
    github.configure(rate_limiting=path == "/rate_limit")
    get, head = ask(github, path), ask(github, path, method="HEAD")
    changing = {"date", "x-github-request-id"}
    assert get.status == head.status == 200
    assert head.body == b""
    assert {k: v for k, v in get.headers.items() if k not in changing} == {
        k: v for k, v in head.headers.items() if k not in changing
    }
    assert int(get.headers["content-length"]) == len(get.body)


def test_a_member_is_a_user_with_organisations_and_repositories(github: FakeGitHub) -> None:
    login, number = (github.members()[0][key] for key in ("login", "id"))
    user = ask(github, f"/users/{login.upper()}").json
    assert (user["login"], user["type"], user["id"]) == (login, "User", number)
    assert [org["login"] for org in ask(github, f"/users/{login}/orgs").json] == ["Netflix"]
    repos = ask(github, f"/users/{login}/repos").json
    assert repos == ask(github, f"/user/{number}/repos").json
    assert len(repos) == user["public_repos"]


def test_names_are_looked_up_in_any_case_of_letters(github: FakeGitHub) -> None:
    assert ask(github, "/orgs/nEtFLIX").json["login"] == "Netflix"
    assert ask(github, "/repos/NETFLIX/hystrix").json["full_name"] == "Netflix/Hystrix"


def test_a_repository_is_the_same_by_name_and_by_number(github: FakeGitHub) -> None:
    named = ask(github, "/repos/Netflix/Hystrix").json
    assert ask(github, f"/repositories/{named['id']}").json == named
    assert named["organization"]["login"] == "Netflix"
    assert named["watchers_count"] == named["stargazers_count"] == named["watchers"]


@pytest.mark.parametrize(
    "path",
    [
        "/nope", "/orgs/nope", "/orgs/Netflix/nope", "/repos/Netflix/nope", "/repositories/1",
        "/organizations/1", "/users/nope", "/orgs/Netflix/repos/", "/orgs/%00",
    ],
)  # fmt: skip
def test_what_is_not_there_is_404_in_githubs_words(github: FakeGitHub, path: str) -> None:
    response = ask(github, path)
    body = response.json
    documented = body.pop("documentation_url")
    assert (response.status, body) == (404, NOT_FOUND)
    assert documented.startswith("https://docs.github.com/rest/")
    assert "etag" not in response.headers


def test_urls_in_bodies_are_githubs_own_and_those_in_headers_the_servers(
    github: FakeGitHub,
) -> None:
    response = ask(github, "/orgs/Netflix/repos?per_page=10")
    assert response.json[0]["url"].startswith("https://api.github.com/repos/Netflix/")
    assert response.links["next"] == f"{github.url}{REPOS}?per_page=10&page=2"


def test_links_name_the_host_the_client_asked(github: FakeGitHub) -> None:
    response = ask(github, "/orgs/Netflix/repos?per_page=10", {"Host": "github.test:81"})
    assert response.links["last"] == f"http://github.test:81{REPOS}?per_page=10&page=3"


@pytest.mark.parametrize(
    ("query", "length", "rels"),
    [
        ("", 25, {}),
        ("?per_page=10", 10, {"next": 2, "last": 3}),
        ("?per_page=10&page=2", 10, {"prev": 1, "next": 3, "last": 3, "first": 1}),
        ("?per_page=10&page=3", 5, {"prev": 2, "first": 1}),
        ("?per_page=10&page=9", 0, {"prev": 3, "last": 3, "first": 1}),
        ("?per_page=1000", 25, {}),
        ("?per_page=0", 25, {}),
        ("?per_page=-5", 25, {}),
        ("?per_page=x&page=y", 25, {}),
    ],
)
def test_lists_are_cut_in_pages_with_a_link(
    github: FakeGitHub, query: str, length: int, rels: dict[str, int]
) -> None:
    response = ask(github, f"/orgs/Netflix/repos{query}")
    assert len(response.json) == length
    url = f"{github.url}{REPOS}?per_page=10&page="
    assert list(response.links.items()) == [(rel, f"{url}{page}") for rel, page in rels.items()]


def test_a_page_is_thirty_items_by_default_and_a_hundred_at_most() -> None:
    with FakeGitHub(repos=250, anonymous_limit=1000) as github:
        assert len(ask(github, "/orgs/Netflix/repos").json) == 30
        assert len(ask(github, "/orgs/Netflix/repos?per_page=101").json) == 100
        pages = all_pages(github, "/orgs/Netflix/repos?per_page=100")
        assert pages == github.repos()
        assert all_pages(github, "/orgs/Netflix/members?per_page=100") == github.members()
        assert github.org()["public_repos"] == len(pages) == 250


def test_links_keep_the_other_parameters_in_their_order(github: FakeGitHub) -> None:
    response = ask(github, "/orgs/Netflix/repos?page=1&sort=updated&per_page=20")
    assert response.links["next"] == f"{github.url}{REPOS}?page=2&sort=updated&per_page=20"


@pytest.mark.parametrize(
    ("sort", "key"), [("updated", "updated_at"), ("pushed", "pushed_at"), ("full_name", "name")]
)
@pytest.mark.parametrize("direction", ["", "asc", "desc"])
def test_repositories_are_sorted_as_asked(
    github: FakeGitHub, sort: str, key: str, direction: str
) -> None:
    found = ask(github, f"/orgs/Netflix/repos?sort={sort}&direction={direction}").json
    values = [repo[key].lower() for repo in found]
    down = direction == "desc" or (direction == "" and sort != "full_name")
    assert values == sorted(values, reverse=down)


def test_the_default_order_is_created_newest_first(github: FakeGitHub) -> None:
    true = github.repos()
    assert ask(github, "/orgs/Netflix/repos").json == true
    assert ask(github, "/orgs/Netflix/repos?sort=created&direction=asc").json == true[::-1]


def test_forks_and_sources_are_told_apart_by_type(github: FakeGitHub) -> None:
    forks = ask(github, "/orgs/Netflix/repos?type=forks").json
    sources = ask(github, "/orgs/Netflix/repos?type=sources").json
    assert {repo["fork"] for repo in forks} <= {True}
    assert {repo["fork"] for repo in sources} == {False}
    assert len(forks) + len(sources) == 25


def test_a_renamed_repository_moved_permanently_to_its_number(github: FakeGitHub) -> None:
    number = github.mutate("rename", repo="Hystrix", to="porcupine")["id"]
    old = ask(github, "/repos/netflix/hystrix")
    assert (old.status, old.json["message"]) == (301, "Moved Permanently")
    assert old.headers["location"] == f"{github.url}/repositories/{number}" == old.json["url"]
    assert ask(github, old.headers["location"]).json["name"] == "porcupine"
    issues = ask(github, "/repos/Netflix/Hystrix/issues")
    assert issues.headers["location"] == f"{github.url}/repositories/{number}/issues"


def test_members_redirect_where_switched_on(github: FakeGitHub) -> None:
    github.configure(members_redirect=True)
    response = ask(github, "/orgs/Netflix/members?per_page=5")
    assert response.status == 302
    assert response.headers["location"] == f"{github.url}/orgs/Netflix/public_members?per_page=5"
    assert len(ask(github, response.headers["location"]).json) == 5
    assert ask(github, "/orgs/nope/members").status == 404


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_any_path_redirects_anywhere(github: FakeGitHub, status: int) -> None:
    to = {"status": status, "url": "http://elsewhere.test/x"}
    github.configure(redirects={"/orgs/Netflix": to, "/": {"status": status, "url": "/orgs/a"}})
    response = ask(github, "/orgs/Netflix")
    assert (response.status, response.headers["location"]) == (status, "http://elsewhere.test/x")
    assert ask(github, "/").headers["location"] == f"{github.url}/orgs/a"


def test_an_sbom_is_an_spdx_document_of_the_repository(github: FakeGitHub) -> None:
    path = "/repos/Netflix/Hystrix/dependency-graph/sbom"
    before = ask(github, path)
    document = before.json["sbom"]
    assert list(before.json) == ["sbom"]
    assert (document["spdxVersion"], document["name"]) == (
        "SPDX-2.3",
        "com.github.Netflix/Hystrix",
    )
    elements = {document["SPDXID"], *(package["SPDXID"] for package in document["packages"])}
    for relationship in document["relationships"]:
        assert {relationship["spdxElementId"], relationship["relatedSpdxElement"]} <= elements
    github.mutate("push", repo="Hystrix")
    after = ask(github, path, {"If-None-Match": before.headers["etag"]})
    assert after.json["sbom"]["creationInfo"]["created"] == "2026-01-01T00:00:01Z"
    github.mutate("make_private", repo="Hystrix")
    assert ask(github, path).status == 404


def test_issues_are_paged_by_the_repositorys_number(github: FakeGitHub) -> None:
    number = github.mutate("edit_repo", repo="Hystrix", open_issues=13)["id"]
    response = ask(github, "/repos/Netflix/Hystrix/issues?per_page=3")
    url = f"{github.url}/repositories/{number}/issues?per_page=3&page="
    assert response.links == {"next": f"{url}2", "last": f"{url}5"}
    found = all_pages(github, "/repos/Netflix/Hystrix/issues?per_page=3")
    assert [issue["number"] for issue in found] == list(range(13, 0, -1))


def test_the_address_of_statuses_in_bodies_leads_to_their_list(github: FakeGitHub) -> None:
    url = ask(github, "/repos/Netflix/Hystrix").json["statuses_url"]
    path = urlsplit(url.replace("{sha}", "main")).path
    assert path == "/repos/Netflix/Hystrix/statuses/main"
    listed = ask(github, "/repos/Netflix/Hystrix/commits/main/statuses")
    assert ask(github, path).json == listed.json != []


def test_a_prefix_stands_before_every_path_as_on_github_enterprise() -> None:
    with FakeGitHub(repos=5, members=3, prefix="/api/v3", public_base="http://ghe/api/v3") as ghe:
        response = ask(ghe, "/api/v3/orgs/Netflix/repos?per_page=2")
        assert response.links["next"] == f"{ghe.url}{REPOS}?per_page=2&page=2"
        assert response.json[0]["url"].startswith("http://ghe/api/v3/repos/Netflix/")
        assert ghe.page_requests("/orgs/Netflix/repos?per_page=2") == 1
