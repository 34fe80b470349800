"""Settings change while old and new processes run side by side: unhealthy or right, never wrong."""

from pathlib import Path

from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Google/repos"
TOKEN = "ghp_owner0123456789"


def test_an_organisation_that_was_just_asked_for_becomes_tracked_as_a_whole_list(
    tmp_path: Path,
) -> None:
    with (
        FakeGitHubProcess(
            orgs=("Netflix", "Google"), repos=45, members=3, anonymous_limit=1_000_000
        ) as github,
        Fleet(tmp_path, github.url, ORGS="Netflix") as fleet,
    ):
        old_worker = fleet.worker()
        old = fleet.healthy_reader()
        assert len(old.get(REPOS).json()) == 30
        # New readers first, and only refreshers that do not track it.
        new = fleet.reader(ORGS="Netflix,Google")
        assert new.get("/healthcheck").status_code == 503
        assert REPOS in new.get("/healthcheck").json()["missing"]
        eventually(lambda: "is left to refreshers" in old_worker.output)
        assert len(old.get(REPOS).json()) == 30
        fleet.worker(ORGS="Netflix,Google")
        eventually(new.is_healthy)
        assert new.get(REPOS).json() == github.repos("Google")
        assert len(new.get(f"{REPOS}?page=2").json()) == 15
        assert len(new.get("/view/top/50/stars?org=Google").json()) == 45
        # Old ones go on as they did.
        assert len(old.get(REPOS).json()) == 30
        assert old.is_healthy()


def test_what_was_stored_with_private_items_is_not_served_without_them(tmp_path: Path) -> None:
    with (
        FakeGitHubProcess(repos=10, private=5, members=3) as github,
        Fleet(tmp_path, github.url, GITHUB_API_TOKEN=TOKEN) as fleet,
    ):
        private = fleet.worker(INCLUDE_PRIVATE="true")
        shown = fleet.healthy_reader(INCLUDE_PRIVATE="true")
        names = {repo["name"] for repo in shown.get("/orgs/Netflix/repos").json()}
        assert len(names) == 15
        hidden = next(repo for repo in github.repos(private=True) if repo["private"])
        below = f"/repos/{hidden['full_name']}/languages"
        assert shown.get(below).status_code == 200
        reader = fleet.reader()
        assert reader.get("/healthcheck").status_code == 503
        eventually(lambda: "is left to refreshers" in private.output)
        fleet.worker()
        eventually(reader.is_healthy)
        assert reader.get("/orgs/Netflix/repos").json() == github.repos()
        assert len(reader.get("/view/top/50/stars").json()) == 10
        for path in (f"/repos/{hidden['full_name']}", below):
            assert reader.get(path).status_code == 404
        # Side by side, each serves by its own settings.
        assert shown.get(below).status_code == 200
        assert len(shown.get("/orgs/Netflix/repos").json()) == 15
