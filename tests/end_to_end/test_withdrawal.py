"""A repository that is made private is gone from every answer, although GitHub's replicas lag."""

import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import requests

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.webhooks import delivery
from tests.waiting import eventually

SECRET = "s3cret"
LAG = 6.0
OPTIONS = {
    "GITHUB_WEBHOOK_SECRET": SECRET,
    "GITHUB_API_TOKEN": "ghp_abc",
    "CACHE_TTL": 600,
    "ON_DEMAND_TTL": 300,
    "LOCAL_TTL": 100,
    "MISS_WAIT": 3,
}


def _own(full_name: str, number: int) -> list[str]:
    """Paths that are the repository, or below it."""
    owner, _, name = full_name.partition("/")
    path = f"/repos/{full_name}"
    return [
        *(
            path,
            path.upper().replace("/REPOS", "/repos"),
            f"/api/v3{path}",
            f"/repositories/{number}",
        ),
        f"/repos/%{ord(owner[0]):02X}{owner[1:]}/{name}",
        *(f"{path}/commits", f"{path}/issues", f"/repositories/{number}/commits"),
    ]


def _lists(full_name: str) -> list[str]:
    """Paths of lists that hold it, or something that belongs to it."""
    owner, _, name = full_name.partition("/")
    pages = [f"/orgs/{owner}/repos?per_page=100&page={page}" for page in (1, 2, 3)]
    return [
        *(f"/orgs/{owner}/repos", f"/api/v3/orgs/{owner}/repos", *pages),
        *("/view/top/300/stars", "/view/bottom/300/last_updated"),
        f"/users/{owner}/repos?per_page=100",
        f"/search/repositories?q={name}+org%3A{owner}",
    ]


def _is_named(answer: requests.Response, full_name: str, number: int) -> bool:
    text = answer.text.lower()
    return full_name.lower() in text or f'"id":{number},' in text.replace(" ", "")


class Asked:
    """Everything that a reader answers of a repository, before and after."""

    def __init__(self, reader: Reader, full_name: str, number: int) -> None:
        self.reader = reader
        self.repository = (full_name, number)
        self.lists = _lists(full_name)
        self.own = [(path, "") for path in _own(full_name, number)]
        self.own.append((f"/repos/{full_name}/readme", "application/vnd.github.raw+json"))
        self.etags: dict[str, str] = {}

    def _get(self, path: str, **headers: str) -> requests.Response:
        return self.reader.get(path, headers=headers)

    def hold(self) -> None:
        """Have every process hold all of it, and remember its entity tags."""
        for _ in range(4):
            for path, accept in self.own:
                assert self._get(path, Accept=accept or "*/*").status_code == 200, path
            for path in self.lists:
                self.etags[path] = self._get(path).headers["ETag"]
        named = [path for path in self.lists if _is_named(self._get(path), *self.repository)]
        assert len(named) >= len(self.lists) - 3, "the tests asks for lists that hold it"
        self.lists = named

    def told(self) -> Iterator[str]:
        """The paths whose answers still tell of it."""
        for path, accept in self.own:
            headers = {"Accept": accept or "*/*"}
            by_head = requests.head(f"{self.reader.url}{path}", headers=headers, timeout=30)
            if {self._get(path, **headers).status_code, by_head.status_code} != {404}:
                yield path
        for path in self.lists:
            answer = self._get(path, **{"If-None-Match": self.etags[path]})
            if answer.status_code == 304 or _is_named(answer, *self.repository):
                yield path
        for path in ("/status", "/status.json"):
            if self.repository[0].lower() in self._get(path).text.lower():
                yield path


def _changes_of(reader: Reader, since: str, full_name: str, number: int) -> bool:
    """Whether the change feed tells of it."""
    answer = reader.get(f"/changes?since={since}")
    return full_name in answer.text or f'"id":{number},' in answer.text.replace(" ", "")


def _tell(
    reader: Reader, action: str, repository: dict[str, object], event: str = "repository"
) -> None:
    about = repository | {"owner": {"login": "Netflix"}}
    body, headers = delivery(SECRET, event, {"repository": about, "action": action})
    url = f"{reader.url}/webhooks/github"
    assert requests.post(url, data=body, headers=headers, timeout=30).status_code == 202


def test_what_is_made_private_is_gone_within_a_second_and_does_not_come_back(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, **OPTIONS) as fleet:
        worker = fleet.worker()
        readers = [fleet.healthy_reader(WEB_CONCURRENCY=2), fleet.healthy_reader(WEB_CONCURRENCY=1)]
        repository = github.repos()[5]
        about = (str(repository["full_name"]), int(repository["id"]))
        asked = [Asked(reader, *about) for reader in readers]
        since = readers[0].get("/changes").json()["last_id"]
        _tell(readers[0], "created", github.mutate("star", repo=about[0]), event="star")
        for reader in readers:  # the feed names it
            eventually(partial(_changes_of, reader, since, *about), within=20)
        github.configure(lag=[LAG])
        for one in asked:
            one.hold()
        worker.signal(signal.SIGSTOP)  # readers need no refresher for it
        gone = github.mutate("make_private", repo=about[0])
        began = time.monotonic()
        _tell(readers[0], "privatized", gone)
        time.sleep(1.0)
        for one in asked:
            assert list(one.told()) == []
        worker.signal(signal.SIGCONT)
        while time.monotonic() - began < LAG + 2.5:
            for one in asked:
                assert list(one.told()) == []
                assert not _changes_of(one.reader, since, *about)
        late = fleet.healthy_reader()
        assert list(_of(late, asked[0]).told()) == []


def _of(reader: Reader, asked: Asked) -> Asked:
    """The same of a process that has just begun."""
    new = Asked(reader, *asked.repository)
    new.lists, new.etags = asked.lists, asked.etags
    return new


def test_it_is_gone_while_no_refresher_runs_and_back_when_github_says_so(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, **OPTIONS) as fleet:
        worker = fleet.worker()
        readers = [fleet.healthy_reader(WEB_CONCURRENCY=2), fleet.healthy_reader(WEB_CONCURRENCY=1)]
        repository = github.repos()[7]
        about = (str(repository["full_name"]), int(repository["id"]))
        asked = [Asked(reader, *about) for reader in readers]
        for one in asked:
            one.hold()
        worker.kill()
        _tell(readers[0], "deleted", repository)
        for one in asked:
            eventually(partial(_is_silent, one), within=20, every=0.2)
        page = readers[0].get("/metrics").text
        assert "api_read_cache_repositories_withdrawn 1.0" in page
        _tell(readers[1], "publicized", repository | {"updated_at": "2030-01-01T00:00:00Z"})
        fleet.worker()
        for one in asked:
            for path in (f"/repos/{about[0]}", one.lists[0]):
                eventually(partial(_shows, one.reader, path, *about), within=30, every=0.2)


def _is_silent(asked: Asked) -> bool:
    return not list(asked.told())


def _shows(reader: Reader, path: str, full_name: str, number: int) -> bool:
    answer = reader.get(path)
    return answer.status_code == 200 and _is_named(answer, full_name, number)
