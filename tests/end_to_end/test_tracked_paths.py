"""Paths of TRACK: kept, whole, changed by events, told of, and withheld without being named."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest
import requests

from tests.end_to_end.fleet import Fleet, Reader, Running
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

SECRET, TOKEN = "s3cret", "ghp_owner0123456789"
REPOS, MEMBERS = "/orgs/Google/repos", "/orgs/netflix/public_members"
WITHHELD = "/repos/netflix/hidden-thing/releases"
ADMIN = "an-admin-token-of-a-test"


@dataclass(frozen=True)
class Tracking:
    """A fleet that tracks paths, and the stand-in GitHub that it asks."""

    github: FakeGitHubProcess
    fleet: Fleet
    reader: Reader
    issues: str
    stranger: Running


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    with FakeGitHubProcess(orgs=("Netflix", "Google"), repos=130, members=3) as github:
        name = github.repos()[0]["full_name"]
        github.mutate("edit_repo", repo=name, open_issues=120)
        issues = f"/repos/{name}/issues?state=open"
        settings = {
            "ORGS": "Netflix",
            "TRACK": f"{REPOS},{issues},/orgs/{{org}}/public_members,{WITHHELD}",
            "GITHUB_WEBHOOK_SECRET": SECRET,
            "GITHUB_API_TOKEN": TOKEN,
            "ADMIN_TOKEN": ADMIN,
            "CACHE_TTL": 600,
        }
        with Fleet(tmp_path_factory.mktemp("tracking"), github.url, **settings) as fleet:
            # It takes jobs too, and leaves those for paths that it does not track.
            stranger = fleet.worker(TRACK="")
            reader = fleet.reader()
            eventually(lambda: "is left to refreshers" in stranger.output)
            assert reader.get("/healthcheck").status_code == 503
            fleet.worker()
            eventually(reader.is_healthy)
            yield Tracking(github, fleet, reader, issues, stranger)


def test_a_list_is_whole_and_sliced_whatever_its_filters(tracking: Tracking) -> None:
    reader, whole = tracking.reader, tracking.github.repos("Google")
    assert len(whole) == 130
    assert reader.get(REPOS).json() == whole
    part = reader.get(f"{REPOS}?per_page=50&page=2")
    assert part.json() == whole[50:100]
    assert part.links["last"]["url"] == f"{reader.url}{REPOS}?per_page=50&page=3"
    issues = reader.get(tracking.issues).json()
    assert len(issues) == 120
    second = reader.get(f"{tracking.issues}&page=2&per_page=100")
    assert second.json() == issues[100:]
    assert "state=open" in second.links["prev"]["url"]
    assert "hit" in second.headers["Cache-Status"]
    assert len(reader.get(MEMBERS).json()) == 3


def test_any_tracked_list_of_repositories_is_ranked(tracking: Tracking) -> None:
    reader = tracking.reader
    found = reader.get(f"/view/top/3/stars?of={REPOS}")
    every = sorted(
        ([one["full_name"], one["stargazers_count"]] for one in tracking.github.repos("Google")),
        key=lambda row: (-row[1], row[0]),
    )
    assert found.json() == every[:3]
    for wrong in (MEMBERS, "/users/mona/repos"):
        refused = reader.get(f"/view/top/3/stars?of={wrong}")
        assert refused.status_code == 404
        assert refused.json()["message"] != "Not Found"


def test_what_github_does_not_show_is_withheld_and_named_to_operators_only(
    tracking: Tracking,
) -> None:
    reader = tracking.reader
    assert reader.get(WITHHELD).status_code == 404
    for page in ("/status.json", "/metrics", "/healthcheck", "/changes?since=0-1"):
        shown = reader.get(page)
        assert shown.status_code in {200, 410}
        assert "hidden-thing" not in shown.text, page
    assert "1 path of TRACK withheld" in reader.get("/status.json").text
    operator = requests.Session()
    operator.post(f"{reader.url}/status/sign-in", data={"token": ADMIN}, timeout=60)
    assert WITHHELD in operator.get(f"{reader.url}/status.json", timeout=60).text
    doctor = tracking.fleet.cache("doctor", "--json")
    assert any(WITHHELD in one["found"] for one in json.loads(doctor.stdout))
    warmed = tracking.fleet.cache("warm")
    assert warmed.returncode == 0
    assert f"{WITHHELD}: withheld" in warmed.stdout


def _told(reader: Reader, since: str, name: str) -> list[dict[str, object]]:
    changes = reader.get(f"/changes?since={since}").json()["changes"]
    return [one for one in changes if one["resource"] == name]


def test_an_event_brings_the_change_to_readers_and_followers(tracking: Tracking) -> None:
    github, reader = tracking.github, tracking.reader
    hook = {"url": f"{reader.url}/webhooks/github", "secret": SECRET}
    github.configure(hook=hook)
    since = reader.get("/changes").json()["last_id"]
    github.reset_counters()
    changed = github.mutate("star", org="Google", repo=7, by=1000)

    def is_seen() -> bool:
        whole: object = reader.get(REPOS).json()
        return whole == github.repos("Google")

    eventually(is_seen, every=0.05)
    eventually(partial(_told, reader, since, "/orgs/google/repos"))
    (event,) = _told(reader, since, "/orgs/google/repos")
    items: dict[str, list[dict[str, object]]] = event["items"]  # type: ignore[assignment]
    assert [one["name"] for one in items["changed"]] == [changed["full_name"]]
    assert items["added"] == items["removed"] == []
    asked = [str(one) for one in github.recent()]
    assert [one for one in asked if "page=" in one.replace("per_page", "")] == []


def test_a_fleet_that_no_longer_tracks_a_path_serves_it_on_demand(tracking: Tracking) -> None:
    plain = tracking.fleet.reader(TRACK="")
    eventually(plain.is_healthy)
    assert len(plain.get(REPOS).json()) == 30
    assert len(tracking.reader.get(REPOS).json()) == 130
