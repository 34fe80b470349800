"""The stand-in GitHub's world can be changed, scripted, counted, and run in its own process."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakegithub.api import all_pages, ask
from tests.fakegithub.client import CHECKOUT, FakeGitHub, FakeGitHubError, FakeGitHubProcess
from tests.fakegithub.signing import INSTALLATION_ID, app_entry, app_jwt
from tests.waiting import eventually

LIST = "/orgs/Netflix/repos?per_page=10"


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=30, members=12, anonymous_limit=10_000) as server:
        yield server


def names(github: FakeGitHub) -> list[str]:
    """The public repositories' names in default order."""
    return [repo["name"] for repo in github.repos()]


def test_a_star_counts_and_moves_updated_at(github: FakeGitHub) -> None:
    before = ask(github, "/repos/Netflix/Hystrix").json
    assert github.mutate("star", repo="hystrix", by=3)["full_name"] == "Netflix/Hystrix"
    after = ask(github, "/repos/Netflix/Hystrix").json
    stars = before["stargazers_count"] + 3
    changed = {"stargazers_count": stars, "watchers_count": stars, "watchers": stars}
    assert after == before | changed | {"updated_at": "2026-01-01T00:00:01Z"}


def test_time_is_a_counter_that_mutations_move(github: FakeGitHub) -> None:
    for _ in range(61):
        github.mutate("push", repo=3)
    assert github.repos()[3]["pushed_at"] == "2026-01-01T00:01:01Z"


def test_a_deleted_repository_is_gone_by_every_name(github: FakeGitHub) -> None:
    github.mutate("rename", repo="Hystrix", to="porcupine")
    number = github.mutate("delete", repo="porcupine")["id"]
    for path in ("/repos/Netflix/porcupine", "/repos/Netflix/Hystrix", f"/repositories/{number}"):
        assert ask(github, path).status == 404
    assert github.org()["public_repos"] == len(github.repos()) == 29


def test_a_former_name_leads_to_the_repository_with_the_whole_query(github: FakeGitHub) -> None:
    number = github.mutate("rename", repo="Hystrix", to="porcupine")["id"]
    response = ask(github, "/repos/Netflix/Hystrix/commits?per_page=1&page=2")
    target = f"{github.url}/repositories/{number}/commits?per_page=1&page=2"
    assert (response.status, response.headers["location"]) == (301, target)
    assert ask(github, target).links["prev"].endswith("per_page=1&page=1")


def test_a_new_repository_takes_a_former_name_over(github: FakeGitHub) -> None:
    github.mutate("rename", repo="Hystrix", to="porcupine")
    number = github.mutate("add", name="Hystrix")["id"]
    assert ask(github, "/repos/Netflix/Hystrix").json["id"] == number


def test_repositories_are_added_moved_hidden_and_counted(github: FakeGitHub) -> None:
    before = names(github)
    github.mutate("add", name="first")
    github.mutate("add", name="last", where="end")
    assert names(github) == ["first", *before, "last"]
    github.mutate("move", repo="last", to=1)
    assert names(github) == ["first", "last", *before]
    github.mutate("make_private", repo="first")
    assert names(github) == ["last", *before]
    assert ask(github, "/repos/Netflix/first").status == 404
    github.mutate("make_public", repo="first")
    github.mutate("set_repos", count=40)
    assert len(names(github)) == github.org()["public_repos"] == 40
    github.mutate("set_repos", count=7)
    assert len(all_pages(github, "/orgs/Netflix/repos?per_page=3")) == 7
    github.mutate("set_repos", count=0)
    assert ask(github, "/orgs/Netflix/repos").json == []


def test_the_organisation_and_its_repositories_can_be_edited(github: FakeGitHub) -> None:
    github.mutate("edit_org", description="new")
    assert ask(github, "/orgs/Netflix").json["description"] == "new"
    github.mutate("edit_repo", repo=0, forks=7, topics=["a"], updated_at="2030-01-01T00:00:00Z")
    repo = github.repos()[0]
    assert (repo["forks"], repo["topics"]) == (7, ["a"])
    assert repo["updated_at"] == "2030-01-01T00:00:00Z"
    with pytest.raises(FakeGitHubError, match="can't set id"):
        github.mutate("edit_repo", repo=0, id=1)


def test_members_join_and_leave(github: FakeGitHub) -> None:
    before = [member["login"] for member in github.members()]
    github.mutate("add_member", login="mona")
    github.mutate("remove_member", login=before[0])
    found = ask(github, "/orgs/Netflix/members").json
    assert [member["login"] for member in found] == [*before[1:], "mona"]
    assert ask(github, f"/users/{before[0]}/orgs").json == []
    assert ask(github, f"/users/{before[0]}").status == 200


@pytest.mark.parametrize(
    "mutation",
    [
        {"kind": "nope"},
        {"kind": "star", "org": "nope"},
        {"kind": "star", "repo": "nope"},
        {"kind": "star", "repo": 99},
        {"kind": "star", "nope": 1},
        {"kind": "rename"},
        {"kind": "add", "name": "Hystrix"},
    ],
)
def test_an_invalid_mutation_is_refused_and_changes_nothing(
    github: FakeGitHub, mutation: dict[str, str]
) -> None:
    before = github.repos()
    with pytest.raises(FakeGitHubError):
        github.mutate(**mutation)
    assert github.repos() == before


@pytest.mark.parametrize("path", ["/orgs/netflix/repos", "/organizations/913567/repos"])
def test_a_script_moves_an_item_while_the_list_is_read(github: FakeGitHub, path: str) -> None:
    true = names(github)
    github.script(path, 2, "move", repo=true[25], to=0)
    read = [repo["name"] for repo in all_pages(github, LIST)]
    # Item 25 went to the front after page 2: item 19 comes twice, item 25 never.
    assert Counter(read) - Counter(true) == Counter([true[19]])
    assert Counter(true) - Counter(read) == Counter([true[25]])
    assert names(github) == [true[25], *true[:25], *true[26:]]
    assert [repo["name"] for repo in all_pages(github, LIST)] == names(github)


def test_a_script_runs_as_often_as_it_says(github: FakeGitHub) -> None:
    stars = github.repos()[0]["stargazers_count"]
    github.script("/orgs/Netflix/repos", 1, "star", times=2)
    github.script("/orgs/Netflix/members", 1, "star", times=None, by=100)
    for _ in range(3):
        ask(github, LIST)
        ask(github, "/orgs/Netflix/members")
    github.clear_scripts()
    ask(github, "/orgs/Netflix/members")
    assert github.repos()[0]["stargazers_count"] == stars + 302


def test_counters_count_requests(github: FakeGitHub) -> None:
    tag = ask(github, "/orgs/Netflix", token="secret").headers["etag"]
    ask(github, "/orgs/Netflix", {"If-None-Match": tag}, token="secret")
    ask(github, LIST, {"X-GitHub-Api-Version": "2022-11-28", "Accept": "a/b, */*"})
    ask(github, "/nope", method="HEAD")
    counters = github.counters()
    assert counters["total"] == 4
    assert counters["requests"] == {"GET /orgs/Netflix": 2, f"GET {LIST}": 1, "HEAD /nope": 1}
    assert counters["statuses"] == {"200": 2, "304": 1, "404": 1}
    assert (counters["not_modified"], counters["points"]) == (1, 3)
    assert counters["credentials"] == {"2bb80d53": 2, "anonymous": 2}
    assert counters["max_concurrent"] == 1
    assert counters["in_flight"] == 0
    assert counters["bytes_sent"] > 10_000
    assert github.page_requests(LIST) == 1
    assert github.page_requests("/nope") == 0
    first, second, third, _ = github.recent()
    assert (first["authorised"], third["authorised"]) == (True, False)
    assert second["if_none_match"] == tag
    assert (third["accept"], third["api_version"]) == ("a/b, */*", "2022-11-28")
    assert third["user_agent"] == "tests"
    assert "X-GitHub-Api-Version" in third["headers"]
    assert "secret" not in str(counters)
    github.reset_counters()
    assert github.counters()["total"] == 0


def test_the_control_api_names_its_options_and_has_no_faults(github: FakeGitHub) -> None:
    github.fault("status")
    with pytest.raises(FakeGitHubError, match="GET /counters"):
        github.json("GET", "/nope")
    with pytest.raises(FakeGitHubError, match="no such option: nope"):
        github.configure(nope=1)
    assert github.counters()["total"] == 0


def test_two_hundred_clients_at_once_get_the_right_responses(github: FakeGitHub) -> None:
    github.configure(max_concurrent=1000, anonymous_limit=100_000)
    true = github.repos()
    paths = ["/orgs/Netflix", LIST, f"{LIST}&page=2", "/orgs/Netflix/members", "/nope"]

    def client(number: int) -> list[int]:
        responses = [ask(github, path, timeout=60) for path in paths]
        assert responses[1].json == true[:10]
        assert responses[2].json == true[10:20]
        return [response.status for response in responses]

    with ThreadPoolExecutor(200) as pool:
        statuses = list(pool.map(client, range(200)))
    assert statuses == [[200, 200, 200, 200, 404]] * 200
    counters = github.counters()
    assert counters["total"] == counters["points"] == 1000
    assert counters["statuses"] == {"200": 800, "404": 200}
    assert counters["in_flight"] == 0


def test_there_may_be_several_organisations() -> None:
    with FakeGitHub(orgs=("Netflix", "acme"), repos=5, members=3) as github:
        assert {repo["owner"]["login"] for repo in github.repos("acme")} == {"acme"}
        github.mutate("star", org="ACME", repo=0)
        assert ask(github, "/orgs/acme/repos").json == github.repos("acme")
        assert ask(github, f"/organizations/{github.org('acme')['id']}").json["login"] == "acme"


def test_churn_changes_something_by_itself() -> None:
    with FakeGitHub(repos=5, members=2, churn=0.01) as github:
        before = github.repos()
        eventually(lambda: github.repos() != before, every=0.005)


def test_a_process_of_its_own_has_the_same_world_rules_and_controls() -> None:
    tokens = f"/app/installations/{INSTALLATION_ID}/access_tokens"
    with FakeGitHubProcess(
        orgs=("acme",),
        repos=7,
        internal=1,
        members=3,
        concealed=1,
        anonymous_limit=3,
        viewers={"stranger": {"role": "stranger"}},
        apps=[app_entry("Iv23liAbC")],
    ) as github:
        assert ask(github, "/orgs/acme/repos").json == github.repos("acme")
        assert ask(github, "/orgs/acme").headers["x-ratelimit-limit"] == "3"
        assert github.counters()["total"] == 2
        for token, repos, members in (("stranger", 7, 2), ("owner", 8, 3)):
            assert len(ask(github, "/orgs/acme/repos", token=token).json) == repos
            assert len(ask(github, "/orgs/acme/members", token=token).json) == members
        issued = ask(github, tokens, method="POST", token=app_jwt("Iv23liAbC"))
        assert issued.status == 201
        assert github.installation_tokens() == [issued.json["token"]]
    assert github.process.returncode == 0


def test_a_process_of_its_own_ends_with_the_one_that_started_it() -> None:
    code = (
        "from tests.fakegithub.client import FakeGitHubProcess as P;"
        "print(P(repos=1, members=1).process.pid, flush=True); input()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout
        number = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    eventually(lambda: not is_running(number), every=0.01)


def is_running(number: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        os.kill(number, 0)
        return ") Z" not in Path(f"/proc/{number}/stat").read_text(encoding="utf-8")
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_an_issue_of_the_list_is_found_by_its_number(github: FakeGitHub) -> None:
    listed = ask(github, "/repos/Netflix/Hystrix/issues").json[0]
    one = ask(github, f"/repos/Netflix/Hystrix/issues/{listed['number']}").json
    assert one == {**listed, "closed_by": None}
