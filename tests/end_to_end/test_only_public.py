"""What readers serve is what GitHub tells anybody, whatever credential the refreshers hold."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from shared.queueing import QueueLimits, RefreshQueue
from tests.builders import tracked
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.signing import APP_ID, INSTALLATION_ID, app_entry, key_pair
from tests.waiting import eventually

OWNER, FINE_GRAINED = "ghp_owner0123456789", "github_pat_owner0123456789"
SCOPELESS = "ghp_scopeless0123456789"
VIEWERS = {
    SCOPELESS: {"role": "stranger", "scopes": ""},
    OWNER: {"role": "owner", "scopes": "repo, admin:org, user, gist"},
    FINE_GRAINED: {"role": "owner", "kind": "fine-grained"},
}
APP = {
    "GITHUB_APP_ID": APP_ID,
    "GITHUB_APP_INSTALLATION_ID": INSTALLATION_ID,
    "GITHUB_APP_PRIVATE_KEY": key_pair().private,
}
Answer = tuple[int, bytes, str, str]
CREDENTIALS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "classic token without scopes": {"GITHUB_API_TOKEN": SCOPELESS},
    "classic token of an owner": {"GITHUB_API_TOKEN": OWNER},
    "fine-grained token of an owner": {"GITHUB_API_TOKEN": FINE_GRAINED},
    "App": APP,
    "several": {**APP, "GITHUB_API_TOKEN": f"{OWNER},{FINE_GRAINED}"},
}
TRACKED = ("/", "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/repos")
VIEWS = ("/view/top/100/stars", "/view/bottom/100/last_updated")
OTHERS = (
    *("/orgs/Netflix/repos?type=all", "/orgs/Netflix/members?per_page=3&page=2"),
    *("/orgs/Google", "/orgs/Google/repos?per_page=5", "/users/Netflix", "/users/Netflix/repos"),
    *("/organizations/913567/members", "/search/repositories?q=org:Netflix+fork:true"),
)
# One of a kind: tests/refresher/visibility/test_only_public.py goes through every operation.
OF_A_HIDDEN_ONE = ("", "/contents/README.md", "/issues")
OF_A_REPOSITORY = (
    *OF_A_HIDDEN_ONE,
    *("/issues?per_page=5&page=2", "/releases/latest", "/compare/main...topic", "/hooks"),
)


def repositories(github: FakeGitHubProcess) -> dict[str, str]:
    """A repository of each visibility."""
    return {repo["visibility"]: repo["full_name"] for repo in github.repos(private=True)}


def paths(github: FakeGitHubProcess) -> list[str]:
    """What is asked for: tracked, and of repositories of each visibility."""
    below = [
        f"/repos/{name}{end}"
        for visibility, name in repositories(github).items()
        for end in (OF_A_REPOSITORY if visibility == "public" else OF_A_HIDDEN_ONE)
    ]
    return [*TRACKED, *VIEWS, *OTHERS, *below]


def all_served(reader: Reader, asked: list[str]) -> dict[str, Answer]:
    """What is served of all of them, a few at a time."""
    with ThreadPoolExecutor(4) as threads:
        return dict(zip(asked, threads.map(lambda path: served(reader, path), asked), strict=True))


def served(reader: Reader, path: str) -> Answer:
    """All of an answer that does not tell when it was given."""
    answer = reader.get(path)
    link = answer.headers.get("Link", "").replace(reader.url, "")
    content = answer.content.replace(reader.url.encode(), b"")
    return answer.status_code, content, link, answer.headers.get("ETag", "")


def test_answers_are_the_same_byte_for_byte_with_every_kind_of_credential(tmp_path: Path) -> None:
    with FakeGitHubProcess(
        orgs=("Netflix", "Google"),
        repos=20,
        members=8,
        private=4,
        internal=2,
        concealed=3,
        anonymous_limit=1_000_000,
        token_limit=1_000_000,
        viewers=VIEWERS,
        apps=[app_entry(role="owner")],
    ) as github:
        answers: dict[str, dict[str, Answer]] = {}
        for number, (kind, settings) in enumerate(CREDENTIALS.items()):
            folder = tmp_path / str(number)
            folder.mkdir()
            with Fleet(folder, github.url, ORIGIN_POINTS_PER_MINUTE=440, **settings) as fleet:
                fleet.worker()
                fleet.worker()
                reader = fleet.healthy_reader()
                answers[kind] = all_served(reader, paths(github))
        expected = answers.pop("none")
        statuses = {path: answer[0] for path, answer in expected.items()}
        names = repositories(github)
        assert set(names) == {"public", "private", "internal"}
        for end in OF_A_HIDDEN_ONE:
            assert statuses[f"/repos/{names['public']}{end}"] == 200, end
            assert statuses[f"/repos/{names['private']}{end}"] == 404, end
            assert statuses[f"/repos/{names['internal']}{end}"] == 404, end
        for kind, found in answers.items():
            differing = [path for path in expected if found[path] != expected[path]]
            assert (kind, differing) == (kind, [])


def test_a_credential_that_sees_too_much_is_named_loudly_and_nothing_is_stopped(
    tmp_path: Path,
) -> None:
    with (
        FakeGitHubProcess(repos=5, members=2, private=1, viewers=VIEWERS) as github,
        Fleet(tmp_path, github.url, GITHUB_API_TOKEN=OWNER) as fleet,
    ):
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        assert reader.get("/orgs/Netflix/repos").json() == github.repos()
        warnings = [line for line in worker.output.splitlines() if "sees more than" in line]
        assert "has the scope admin:org" in warnings[0]
        assert "a classic token without any scope" in warnings[0]
        assert OWNER not in worker.output
        # The next one knows from its start.
        again = fleet.worker()
        eventually(lambda: "sees more than the public" in again.output)


@pytest.mark.parametrize("credential", ["classic", "fine-grained", "App"])
def test_a_refresher_that_refuses_such_credentials_stops_at_github_s_first_answer(
    tmp_path: Path, credential: str
) -> None:
    by_kind = {
        "classic": CREDENTIALS["classic token of an owner"],
        "fine-grained": CREDENTIALS["fine-grained token of an owner"],
        "App": APP,
    }
    settings = by_kind[credential]
    with (
        FakeGitHubProcess(
            repos=5, members=2, viewers=VIEWERS, apps=[app_entry(role="owner")]
        ) as github,
        Fleet(tmp_path, github.url, PRIVILEGED_CREDENTIALS="refuse", **settings) as fleet,
    ):
        github.fault("status", status=502)
        worker = fleet.worker()
        reader = fleet.reader()
        # GitHub is away: that is no reason to stop.
        eventually(lambda: "refresh of /orgs/Netflix: failed" in worker.output)
        assert "GitHub answered 502" in worker.output
        assert worker.process.poll() is None
        github.clear_faults()
        with fleet.redis() as redis:  # the App's next try would come after 30 s
            RefreshQueue(redis, QueueLimits()).force(tracked("/orgs/Netflix"))
        assert worker.process.wait(60) == 1
        (line,) = [one for one in worker.output.splitlines() if one.startswith("api-read-cache:")]
        assert line.startswith("api-read-cache: bad settings: PRIVILEGED_CREDENTIALS=refuse: ")
        assert "sees more than the public" in line
        assert not reader.is_healthy()


def test_a_harmless_credential_is_refused_by_nobody(tmp_path: Path) -> None:
    with (
        FakeGitHubProcess(repos=5, members=2, viewers=VIEWERS) as github,
        Fleet(
            tmp_path, github.url, PRIVILEGED_CREDENTIALS="refuse", GITHUB_API_TOKEN=SCOPELESS
        ) as fleet,
    ):
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        assert reader.get("/repos/Netflix/Hystrix").status_code == 200
        assert worker.process.poll() is None
        assert "sees more than" not in worker.output
