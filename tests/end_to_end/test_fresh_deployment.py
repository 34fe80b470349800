"""A fresh deployment warms itself and then serves what the origin holds."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from shared.redis import keys
from shared.resources.resource import Resource
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

METRICS = {
    "forks": "forks_count",
    "last_updated": "updated_at",
    "open_issues": "open_issues_count",
    "stars": "stargazers_count",
    "watchers": "watchers_count",
}
TRACKED = ["/", "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/repos"]
PAGES = [
    "/",
    "/orgs/Netflix",
    "/orgs/Netflix/public_members?per_page=100",
    "/organizations/913567/public_members?per_page=100&page=2",
    "/orgs/Netflix/repos?per_page=100",
    "/organizations/913567/repos?per_page=100&page=2",
    "/organizations/913567/repos?per_page=100&page=3",
]


def test_a_fresh_deployment_serves_what_the_origin_holds(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url) as fleet:
        reader = fleet.reader()
        health = reader.get("/healthcheck")
        assert health.status_code == 503
        assert health.json() == {"status": "unavailable", "missing": TRACKED}
        fleet.worker()
        eventually(reader.is_healthy)

        root = requests.get(github.url, timeout=60, headers={"User-Agent": "test"})
        assert reader.get("/").json() == root.json()
        assert reader.get("/orgs/Netflix").json() == github.org()
        assert reader.get("/orgs/Netflix/members").json() == github.members()
        assert len(github.members()) == 130
        assert reader.get("/orgs/Netflix/repos").json() == github.repos()
        assert len(github.repos()) == 250
        _check_views(reader, github)
        _check_pages(reader, github)


def _check_views(reader: Reader, github: FakeGitHubProcess) -> None:
    repos = github.repos()
    for metric, field in METRICS.items():
        by_name = sorted([repo["full_name"], repo[field]] for repo in repos)
        ranked = sorted(by_name, key=lambda pair: pair[1], reverse=True)
        values = [value for _, value in ranked]
        if metric != "last_updated":
            assert len(set(values)) < len(values), "a test of ties needs ties"
        for count in (1, 7, 249, 250, 251, 10**30):
            top = reader.get(f"/view/top/{count}/{metric}").text
            assert top == json.dumps(ranked[:count])
            bottom = reader.get(f"/view/bottom/{count}/{metric}").text
            assert bottom == json.dumps(ranked[-count:])
    for bad in ("0", "-1", "1.5", "abc", "%20", "1e3"):
        refused = reader.get(f"/view/top/{bad}/stars")
        assert refused.status_code == 400, bad
        assert refused.json()["status"] == "400"
    assert reader.get("/view/top/1/beauty").status_code == 404


def _check_pages(reader: Reader, github: FakeGitHubProcess) -> None:
    """An unmodified client that follows `Link` gets every item once."""
    items = []
    url: str | None = reader.url + "/orgs/Netflix/repos?per_page=100"
    while url is not None:
        response = requests.get(url, timeout=60)
        items += response.json()
        url = response.links.get("next", {}).get("url")
    assert items == github.repos()


def test_200_clients_of_4_cold_processes_make_one_request_a_page(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    """Of each tracked resource at once, as clients come to a deployment that has just begun."""
    # On a machine that is short of breath nothing is to be given up and asked for again.
    patient = {"ORIGIN_READ_TIMEOUT": 60, "LOCK_TTL": 30}
    with Fleet(tmp_path, github.url, **patient) as fleet, ThreadPoolExecutor(200) as clients:
        reader = fleet.reader(WEB_CONCURRENCY=4)
        waiting = {
            path: [clients.submit(reader.get, path) for _ in range(200 // len(TRACKED))]
            for path in TRACKED
        }
        time.sleep(0.5)  # let them all wait, for content that nobody fetches yet
        with fleet.redis() as redis:
            assert not redis.keys("api-read-cache:*:entry:*")
        assert not any(client.done() for several in waiting.values() for client in several)
        fleet.worker()
        for several in waiting.values():
            answers = [client.result() for client in several]
            assert {answer.status_code for answer in answers} == {200}
            assert len({answer.content for answer in answers}) == 1
            assert len({answer.headers["ETag"] for answer in answers}) == 1
        eventually(reader.is_healthy)
    for page in PAGES:
        assert github.page_requests(page) == 1, page


def test_each_process_reads_redis_once_however_many_wait(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url) as fleet, ThreadPoolExecutor(50) as clients:
        fleet.worker()
        fleet.healthy_reader().get("/repos/netflix/hystrix")
        second = fleet.healthy_reader()
        with Commands(fleet) as commands:
            answers = list(clients.map(lambda _: second.get("/repos/netflix/hystrix"), range(50)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        entry = keys.entry(Resource("/repos/netflix/hystrix"))
        assert commands.seen.count(f"HGETALL {entry}") == 1


class Commands:
    """The commands that Redis is given inside a block."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.seen: list[str] = []

    def __enter__(self) -> "Commands":
        started = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=[started])
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        with self._fleet.redis() as redis:
            redis.echo("the end")
        self._thread.join()

    def _listen(self, started: threading.Event) -> None:
        with self._fleet.redis() as redis, redis.monitor() as monitor:
            started.set()
            for command in monitor.listen():
                if command["command"] == "ECHO the end":
                    return
                self.seen.append(command["command"])
