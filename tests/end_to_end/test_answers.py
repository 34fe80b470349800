"""What GitHub answers is the answer: status, body and message arrive, and cost one request."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.answers import TOO_LARGE
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

TOKEN, OTHER = "ghp_first_0123456789", "ghp_second_0123456789"
ADMIN = "a-token-of-an-operator"
REPO = "/repos/Netflix/Hystrix"
STATISTICS = f"{REPO}/stats/contributors"
SCOPELESS = {"role": "stranger", "kind": "classic", "scopes": "", "login": "one"}


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHubProcess]:
    """A GitHub whose tokens see only what is public."""
    with FakeGitHubProcess(
        repos=5, members=3, anonymous_limit=1_000_000, viewers={"*": SCOPELESS}
    ) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(github: FakeGitHubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One fleet with a token for all answers."""
    folder = tmp_path_factory.mktemp("fleet")
    settings = {"GITHUB_API_TOKEN": TOKEN, "ON_DEMAND_TTL": 30, "ORIGIN_MAX_BYTES": 300_000}
    with Fleet(folder, github.url, **settings) as running:
        running.worker()
        running.healthy_reader()
        yield running


@pytest.fixture
def reader(fleet: Fleet, github: FakeGitHubProcess) -> Iterator[Reader]:
    github.clear_faults()
    github.reset_counters()
    yield fleet.readers[0]
    github.clear_faults()


def requests_for(github: FakeGitHubProcess, path: str) -> list[int]:
    """The statuses of the requests for a path, in order."""
    return [one["status"] for one in github.recent() if one["path"] == path.lower()]


def test_a_403_that_is_no_limit_costs_one_request_and_the_time_that_github_takes(
    reader: Reader, github: FakeGitHubProcess
) -> None:
    path = f"{REPO}/contributors"
    github.fault("too_large", path="/contributors$")
    begun = time.monotonic()
    answers = [reader.get(path) for _ in range(3)]
    assert time.monotonic() - begun < 30  # clients of what does not come wait for a minute
    for answer in answers:
        assert (answer.status_code, answer.json()["message"]) == (403, TOO_LARGE)
        assert answer.json()["status"] == "403"
        assert "Retry-After" not in answer.headers
    assert requests_for(github, path) == [403]
    timeline = reader.get("/status.json").json()["timeline"]
    rows = [row for row in timeline if row["name"] == path.lower()]
    assert [row["outcome"] for row in rows] in ([], ["updated"])  # it may not be written yet


@pytest.mark.parametrize("status", [400, 402, 405, 409, 410, 415, 422])
def test_any_other_4xx_is_handed_on(reader: Reader, github: FakeGitHubProcess, status: int) -> None:
    path = f"{REPO}/labels/of-{status}"
    github.fault("status", path=f"of-{status}$", status=status, message="GitHub's own words")
    answers = [reader.get(path) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status] * 2
    assert answers[0].json()["message"] == "GitHub's own words"
    assert requests_for(github, path) == [status]


def test_a_takedown_of_a_repository_is_one_of_all_that_lies_below_it(
    reader: Reader, github: FakeGitHubProcess
) -> None:
    name = next(one["name"] for one in github.repos() if one["name"] != "Hystrix")
    github.fault("blocked", path=f"/repos/netflix/{name.lower()}")
    for path in (f"/repos/Netflix/{name}", f"/repos/Netflix/{name}/issues"):
        answer = reader.get(path)
        assert answer.status_code == 451, path
        assert answer.json()["message"] == "Repository access blocked"
        assert answer.json()["block"]["reason"] == "dmca"


def test_statistics_that_never_come_are_a_202_again_and_again_and_quickly(
    reader: Reader, github: FakeGitHubProcess
) -> None:
    github.fault("accepted", path="/stats/contributors$")
    begun = time.monotonic()
    first = reader.get(STATISTICS)
    assert time.monotonic() - begun < 5
    assert (first.status_code, first.json()) == (202, {})
    assert 1 <= int(first.headers["Retry-After"]) <= 5
    assert first.headers["Cache-Control"] == "no-store"
    looks = len(requests_for(github, STATISTICS))
    assert 2 <= looks <= 4
    begun = time.monotonic()
    assert {reader.get(STATISTICS).status_code for _ in range(20)} == {202}
    assert time.monotonic() - begun < 2
    assert len(requests_for(github, STATISTICS)) == looks
    time.sleep(int(first.headers["Retry-After"]) + 1)
    begun = time.monotonic()
    assert reader.get(STATISTICS).status_code == 202
    assert time.monotonic() - begun < 1.5  # GitHub is asked once, and nobody waits for more
    assert len(requests_for(github, STATISTICS)) == looks + 1
    github.clear_faults()
    eventually(lambda: reader.get(STATISTICS).status_code == 200)


def test_statistics_that_come_while_the_client_waits_are_a_200(
    reader: Reader, github: FakeGitHubProcess
) -> None:
    path = f"{REPO}/stats/participation"
    github.fault("accepted", path="/stats/participation$", times=1)
    assert reader.get(path).status_code == 200
    assert requests_for(github, path) == [202, 200]


def test_what_is_held_outlives_a_202(github: FakeGitHubProcess, tmp_path: Path) -> None:
    github.clear_faults()
    with Fleet(tmp_path, github.url, ON_DEMAND_TTL=1, LOCAL_TTL=0.2) as fleet:
        fleet.worker()
        reader = fleet.healthy_reader()
        path = f"{REPO}/stats/code_frequency"
        held = reader.get(path)
        assert held.status_code == 200
        github.fault("accepted", path="/stats/code_frequency$")
        time.sleep(1.2)
        github.reset_counters()
        until = time.monotonic() + 3
        while time.monotonic() < until or not requests_for(github, path):
            answer = reader.get(path)
            assert (answer.status_code, answer.content) == (200, held.content)
            time.sleep(0.1)
        asked = [one for one in github.recent() if one["path"] == path.lower()]
        assert {one["status"] for one in asked} <= {202, None}
        # Not again before GitHub's pause is over.
        assert all(two["time"] - one["time"] > 4 for one, two in pairwise(asked))
        github.clear_faults()
        assert reader.is_healthy()


@pytest.mark.parametrize(("kind", "suffix"), [("tarball", "tar.gz"), ("zipball", "zip")])
def test_an_archive_is_a_redirect_without_a_token(
    reader: Reader, github: FakeGitHubProcess, kind: str, suffix: str
) -> None:
    path = f"{REPO}/{kind}/main"
    answer = reader.get(path, allow_redirects=False)
    assert answer.status_code == 302
    location = answer.headers["Location"]
    assert location.startswith(f"https://codeload.github.com/Netflix/Hystrix/legacy.{suffix}/")
    assert "?" not in location
    assert "max-age=30" in answer.headers["Cache-Control"]  # a minute, or ON_DEMAND_TTL if less
    (sent,) = [one for one in github.recent() if one["path"] == path.lower()]
    assert sent["credential"] == "anonymous"
    assert reader.get(path, allow_redirects=False).headers["Location"] == location
    assert requests_for(github, path) == [302]


def test_a_redirect_to_any_other_host_is_refused_in_words(
    reader: Reader, github: FakeGitHubProcess
) -> None:
    path = f"{REPO}/languages"
    github.fault(
        "redirect", path="/languages$", status=302, url="http://127.0.0.1:1/secret?token=1"
    )
    answers = [reader.get(path, allow_redirects=False) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [403] * 2
    assert "This cache does not serve this" in answers[0].json()["message"]
    assert "another host" in answers[0].json()["message"]
    assert b"secret" not in answers[0].content
    assert requests_for(github, path) == [302]


def test_what_is_too_large_is_not_downloaded_at_each_request(
    reader: Reader, github: FakeGitHubProcess
) -> None:
    path = f"{REPO}/topics"
    github.fault("huge", path="/topics$", size=400_000)
    answers = [reader.get(path) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [403] * 3
    assert "too large" in answers[0].json()["message"]
    assert "ORIGIN_MAX_BYTES" in answers[0].json()["message"]
    assert requests_for(github, path) == [200]


def test_an_ip_allow_list_with_a_token_and_200_without(
    github: FakeGitHubProcess, tmp_path: Path
) -> None:
    github.clear_faults()
    github.fault("ip_allow_list", path="(?i)netflix")
    settings = {"GITHUB_API_TOKEN": TOKEN, "ADMIN_TOKEN": ADMIN, "STATUS_PUBLIC": "false"}
    with Fleet(tmp_path, github.url, **settings) as fleet:
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        assert reader.get("/orgs/Netflix/repos").json() == github.repos()
        assert reader.get(f"{REPO}/topics").status_code == 200
        github.reset_counters()
        assert reader.get(f"{REPO}/branches").status_code == 200
        assert 403 not in [one["status"] for one in github.recent()]
        lines = [line for line in worker.output.splitlines() if "IP allow list" in line]
        assert len(lines) == 1, lines
        assert TOKEN not in lines[0]
        status = reader.get("/status.json", headers={"Authorization": f"Bearer {ADMIN}"}).json()
        (card,) = [row for row in status["budgets"] if row["refused"]]
        assert card["refused"][0]["place"] == "netflix"
        assert "IP allow list" in card["refused"][0]["message"]
        doctor = fleet.cache("doctor").stdout
        assert "IP allow list" in " ".join(doctor.split())
    github.clear_faults()


def test_of_two_tokens_the_one_that_saml_admits_is_used_and_the_fleet_is_healthy(
    github: FakeGitHubProcess, tmp_path: Path
) -> None:
    github.clear_faults()
    github.fault("saml", credentials=[TOKEN])
    with Fleet(tmp_path, github.url, GITHUB_API_TOKEN=f"{TOKEN},{OTHER}") as fleet:
        fleet.worker()
        reader = fleet.healthy_reader()
        assert reader.get("/orgs/Netflix/repos").json() == github.repos()
        for rest in ("topics", "branches", "tags", "releases", "commits"):
            assert reader.get(f"{REPO}/{rest}").status_code == 200
        statuses = [one["status"] for one in github.recent() if one["credential"] != "anonymous"]
        assert statuses.count(403) <= 4  # those that were under way at the same time
    github.clear_faults()


def test_a_list_whose_link_names_another_host_is_read_from_ours(
    tmp_path: Path,
) -> None:
    with (
        FakeGitHubProcess(repos=130, members=3, anonymous_limit=1_000_000) as github,
        Fleet(tmp_path, github.url, GITHUB_API_TOKEN=TOKEN) as fleet,
    ):
        github.fault("other_base", url="https://elsewhere.invalid")
        fleet.worker()
        reader = fleet.healthy_reader()
        assert len(reader.get("/orgs/Netflix/repos").json()) == 130
