"""A fleet that asks as a GitHub App: one token for all, renewed in time, nowhere to be read."""

from pathlib import Path

from tests.end_to_end.fleet import Fleet
from tests.end_to_end.up_to_date import await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.signing import APP_ID, INSTALLATION_ID, app_entry, key_pair
from tests.redis_contents import held_in
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"


def test_workers_share_and_renew_the_app_s_token(tmp_path: Path) -> None:
    key = tmp_path / "app.pem"
    key.write_text(key_pair().private)
    # A token is renewed 300 s before its end: these are, every 5 s.
    with (
        FakeGitHubProcess(apps=[app_entry(token_seconds=305)], tokens=[]) as github,
        Fleet(
            tmp_path,
            github.url,
            CACHE_TTL=1,
            GITHUB_APP_ID=APP_ID,
            GITHUB_APP_INSTALLATION_ID=INSTALLATION_ID,
            GITHUB_APP_PRIVATE_KEY_FILE=key,
        ) as fleet,
        fleet.redis() as redis,
    ):
        workers = [fleet.worker() for _ in range(3)]
        reader = fleet.healthy_reader()
        github.mutate("star", repo=7, by=1)
        await_up_to_date(github, reader)
        eventually(lambda: github.counters()["installation_tokens"] >= 3)
        eventually(lambda: github.counters()["total"] > 3 * 7)
        counters = github.counters()
        # Each token downloads nothing that the one before it has downloaded already.
        assert counters["points"] <= 7 + 4
        held = held_in(redis)
        printed = "".join(running.output for running in [reader, *workers])
        for token in github.installation_tokens():
            assert token[-30:].encode() not in held
            assert token[-30:] not in printed
        for text in ("PRIVATE KEY", key_pair().private.splitlines()[1]):
            assert text not in printed
            assert text.encode() not in held


def test_a_key_that_is_none_stops_a_worker_with_one_line(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    settings = {
        "GITHUB_APP_ID": APP_ID,
        "GITHUB_APP_INSTALLATION_ID": INSTALLATION_ID,
        "GITHUB_APP_PRIVATE_KEY": "not a key",
    }
    with Fleet(tmp_path, github.url, **settings) as fleet:
        worker = fleet.worker()
        assert worker.process.wait(60) == 1
        assert worker.output == (
            "api-read-cache: bad settings: GITHUB_APP_PRIVATE_KEY: must be an RSA private key "
            "in PEM form\n"
        )
