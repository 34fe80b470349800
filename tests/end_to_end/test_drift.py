"""A fleet finds that GitHub confirms content that it does not show, and reads it anew."""

from functools import partial
from pathlib import Path

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"
FOUND = 'api_read_cache_drift_checks_total{result="drift"} 1.0'


def _shows(reader: Reader, truth: object) -> bool:
    found: object = reader.get(REPOS).json()
    return found == truth


def test_a_wrong_304_is_found_and_healed_without_a_scheduler(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    # The list is stale after two seconds, so that refreshes confirm it again and again.
    options = {"DRIFT_CHECK_INTERVAL": 0.1, "CACHE_TTL": 2, "GITHUB_API_TOKEN": "ghp_abc"}
    with Fleet(tmp_path, github.url, **options) as fleet:
        refreshers = [fleet.worker(), fleet.worker()]
        reader = fleet.healthy_reader(LOCAL_TTL=1)
        github.fault("wrong_304", path="/repos")
        touched = github.mutate("star", repo=7, by=1000)
        assert not _shows(reader, github.repos())
        eventually(partial(_shows, reader, github.repos()), within=90, every=0.1)
        eventually(lambda: FOUND in reader.get("/metrics").text)
        said = {
            one["title"]: one["text"] for one in reader.get("/status.json").json()["statements"]
        }
        assert said["Drift was found, and healed"].startswith(f"{REPOS} (1 item) ")
        lines = "".join(one.output for one in refreshers)
        assert f"drift: what is stored of {REPOS} differs" in lines
        assert str(touched["id"]) in lines
