"""A delivery that was lost is asked for again, arrives, and what it tells of is served."""

from functools import partial
from pathlib import Path
from typing import Any

from refresher.deliveries.lost import MOST_TRIES
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.redis_contents import held_in
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"
SECRET = "s3cret"
TOKEN = "ghp_for_webhooks_and_nothing_else"
VIEWERS = {TOKEN: {"role": "owner", "scopes": "admin:org_hook"}}


def _shows(reader: Reader, truth: list[dict[str, Any]]) -> bool:
    found: object = reader.get(REPOS).json()
    return found == truth


def _posts(github: FakeGitHubProcess) -> list[str]:
    requests = github.counters()["requests"]
    return [one for one in requests if not one.startswith("GET ")]


def test_a_lost_delivery_is_asked_for_again_though_the_refresher_dies_in_between(
    tmp_path: Path,
) -> None:
    options = {
        "CACHE_TTL": 600,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "ORIGIN_DEADLINE": 5,
        "REDELIVERY_INTERVAL": 1,
        # The token sees much, and is no reason to stop: it fetches no content.
        "PRIVILEGED_CREDENTIALS": "refuse",
    }
    with (
        FakeGitHubProcess(repos=5, members=2, viewers=VIEWERS, anonymous_limit=10_000) as github,
        Fleet(tmp_path, github.url, **options) as fleet,
        fleet.redis() as redis,
    ):
        doomed = fleet.worker(GITHUB_HOOK_TOKEN=TOKEN)
        reader = fleet.healthy_reader()
        hook = {"url": f"{reader.url}/webhooks/github", "secret": SECRET}
        github.configure(hook={**hook, "lost": 1})
        github.mutate("star", repo=3, by=1000)
        eventually(lambda: len(github.deliveries()) > 1, what="it is asked for again")
        doomed.kill()
        github.configure(hook=hook)
        heir = fleet.worker(GITHUB_HOOK_TOKEN=TOKEN)
        eventually(partial(_shows, reader, github.repos()), within=90)
        eventually(lambda: github.deliveries()[0]["status"] == "OK")
        attempts = github.deliveries()
        assert len({one["guid"] for one in attempts}) == 1
        assert len(attempts) <= 1 + MOST_TRIES
        eventually(lambda: 'fate="healed"} 1.0' in reader.get("/metrics").text)
        page = reader.get("/status.json").json()
        assert [row["state"] for row in page["deliveries"]] == ["all have arrived"]
        assert {one.rpartition("/")[2] for one in _posts(github)} == {"attempts"}
        said = fleet.cache("doctor").stdout
        held = held_in(redis)
        shown = "".join([doomed.output, heir.output, reader.output, said, str(page)])
        assert TOKEN not in shown + reader.get("/status").text
        assert TOKEN.encode() not in held
        assert "lost deliveries" in said
