"""From one release to the next, and back, when what is stored changes.

Processes of both run side by side on one Redis and one queue. If the schema differs, each has keys
of its own; if only more data is derived, they share the entries.
"""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from shared.queueing import JOB, QUEUE
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from shared.stored_form import EXPANSION, SCHEMA
from tests.builders import on_demand
from tests.end_to_end.balancer import haproxy, has_answered
from tests.end_to_end.fleet import CHECKOUT, Fleet, Reader, Running
from tests.end_to_end.left_of_jobs import left_of_jobs
from tests.end_to_end.load import Load
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"
LIST = Catalogue(("Netflix",)).of_kind(REPOSITORIES, "Netflix")
TARGETS = ["/", "/orgs/Netflix", f"{REPOS}?page=2", "/view/top/5/stars", "/users/Netflix"]


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The next release: bodies are stored in another field, which ours cannot read."""
    checkout = copy_of_code(tmp_path / "newer")
    change(checkout / "shared/stored_form.py", f"SCHEMA = {SCHEMA}", f"SCHEMA = {SCHEMA + 1}")
    entry = checkout / "shared/entry.py"
    change(entry, 'fields["body"] = bytes(entry.body)', 'fields["content"] = bytes(entry.body)')
    change(entry, 'fields[b"body"]', 'fields[b"content"]')
    return checkout


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The release before: lists are stored whole, under keys that ours does not use."""
    checkout = copy_of_code(tmp_path / "older")
    form = checkout / "shared/stored_form.py"
    change(form, f"\nEXPANSION = {EXPANSION}", f"\nEXPANSION = {EXPANSION - 1}")
    segmented = checkout / "refresher/content/segmented_list.py"
    change(segmented, "is_long = len(runs_between(items.ends)) > 1", "is_long = False")
    return checkout


@pytest.fixture
def with_another_view(tmp_path: Path) -> Path:
    """The next release: repositories are ranked by size, too. One row, and nothing else."""
    checkout = copy_of_code(tmp_path / "with-another-view")
    row = '_by_count("forks", "forks_count"),'
    kinds = checkout / "shared/resources/kinds.py"
    change(kinds, row, f'{row} _by_count("size", "size"),')
    return checkout


def copy_of_code(checkout: Path) -> Path:
    for name in ("reader", "refresher", "shared"):
        shutil.copytree(CHECKOUT / name, checkout / name)
    shutil.copy(CHECKOUT / "gunicorn.conf.py", checkout)
    return checkout


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert text.count(before) == 1, f"{before} in {file}"
    file.write_text(text.replace(before, after))


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess) -> Iterator[Fleet]:
    with Fleet(tmp_path, github.url, CACHE_TTL=2, LOCAL_TTL=1, ON_DEMAND_TTL=2) as running:
        yield running


def replace(fleet: Fleet, reader: Reader) -> Reader:
    """Have a reader end in peace, and one of the code of now take its port and its clients."""
    reader.signal(signal.SIGTERM)
    reader.process.wait(60)
    successor = fleet.healthy_reader(PORT=int(reader.url.rpartition(":")[2]))
    eventually(lambda: has_answered(successor, 1), what="the balancer sends it requests")
    return successor


def retire(worker: Running) -> None:
    worker.signal(signal.SIGTERM)
    worker.process.wait(60)


@pytest.fixture(params=["schema", "segments"])
def releases(request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """Two releases that store lists under different keys: another schema, or segments or none."""
    if request.param == "schema":
        return CHECKOUT, request.getfixturevalue("newer")
    return request.getfixturevalue("older"), CHECKOUT


@pytest.mark.timeout(400)
def test_old_and_new_processes_run_side_by_side_and_no_request_fails_there_and_back(
    fleet: Fleet, github: FakeGitHubProcess, releases: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = releases
    stars = iter(range(1000, 2000))

    def all_follow(readers: list[Reader]) -> None:
        github.mutate("star", repo=3, by=next(stars))
        eventually(
            lambda: all(reader.get(REPOS).json() == github.repos() for reader in readers),
            what="all readers have what changed",
        )

    def entries_of_the_list() -> int:
        with fleet.redis() as redis:
            entries = redis.keys("api-read-cache:*:entry:*")
            return sum(redis.hget(key, "name") == REPOS.encode() for key in entries)

    fleet.checkout = old
    old_worker = fleet.worker()
    first, second = fleet.healthy_reader(), fleet.healthy_reader()
    everything: dict[str, bytes | None] = dict.fromkeys(TARGETS)
    with haproxy(tmp_path, [first, second]) as url, Load(url, everything, clients=4) as load:
        eventually(lambda: load.has_answered(100))
        assert entries_of_the_list() == 1

        fleet.checkout = new
        new_worker = fleet.worker()
        first = replace(fleet, first)
        assert entries_of_the_list() == 2
        all_follow([first, second])
        second = replace(fleet, second)
        retire(old_worker)
        all_follow([first, second])

        fleet.checkout = old
        fleet.worker()
        first = replace(fleet, first)
        all_follow([first, second])
        second = replace(fleet, second)
        retire(new_worker)
        all_follow([first, second])
        answered = load.outcome.answered
        eventually(lambda: load.has_answered(answered + 100))
    assert load.outcome.failures == []
    assert not any("Traceback" in running.output for running in (first, second, old_worker))


def test_a_view_that_a_release_adds_appears_after_one_refresh_and_no_request_fails_there_and_back(
    fleet: Fleet, github: FakeGitHubProcess, with_another_view: Path, tmp_path: Path
) -> None:
    def stored() -> tuple[bytes, dict[str, int]]:
        with fleet.redis() as redis:
            meta = json.loads(redis.hget(keys.entry(LIST), "meta") or b"")
        return meta["version"], meta["derived"]

    def etag(reader: Reader) -> str:
        return reader.get(REPOS).headers["ETag"]

    old_worker = fleet.worker()
    first, second = fleet.healthy_reader(), fleet.healthy_reader()
    tag, before = etag(first), stored()
    everything: dict[str, bytes | None] = dict.fromkeys(TARGETS)
    with haproxy(tmp_path, [first, second]) as url, Load(url, everything, clients=4) as load:
        eventually(lambda: load.has_answered(50))
        retire(old_worker)
        fleet.checkout = with_another_view
        first = replace(fleet, first)
        missing = first.get("/view/top/5/size")
        assert missing.status_code == 503
        assert "is not available yet" in missing.json()["message"]
        assert int(missing.headers["Retry-After"]) > 0
        assert second.get("/view/top/5/size").status_code == 404

        github.reset_counters()
        new_worker = fleet.worker()
        eventually(lambda: first.get("/view/top/5/size").status_code == 200)
        sizes = sorted((repo["size"] for repo in github.repos()), reverse=True)[:5]
        assert [size for _, size in first.get("/view/top/5/size").json()] == sizes
        version, derived = stored()
        assert version > before[0]
        assert derived == {**before[1], "view:size": 1}
        assert etag(first) == etag(second) == tag
        assert set(github.counters()["statuses"]) == {"304"}, "nothing was downloaded again"

        fleet.checkout = CHECKOUT
        retire(new_worker)
        fleet.worker()
        first = replace(fleet, first)
        eventually(lambda: github.counters()["total"] > 10, what="the older release refreshes")
        assert stored() == (version, derived), "the older release leaves alone what it cannot make"
        assert first.get("/view/top/5/size").status_code == 404
        assert etag(first) == tag
        answered = load.outcome.answered
        eventually(lambda: load.has_answered(answered + 50))
    assert load.outcome.failures == []
    assert not any("Traceback" in running.output for running in (first, second, new_worker))


def test_jobs_that_a_release_without_an_order_has_queued_are_done_and_leave_nothing(
    fleet: Fleet,
) -> None:
    """That release put jobs only into RQ's list."""
    users = [on_demand(f"/users/u{number}") for number in range(5)]
    fleet.worker()
    with fleet.redis() as redis:
        queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        for user in users:
            queue.enqueue(JOB, user.name, result_ttl=0)
        store = Store(redis)
        eventually(lambda: all(store.state(user).metadata for user in users))
        eventually(lambda: left_of_jobs(redis) == [], what="nothing is left of the jobs")
