"""The command line on a real Redis, with somebody at work who does what refreshers do."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from redis import Redis
from rq.suspension import is_suspended

from shared import keys, refresh_report
from shared.outcomes import RefreshOutcome
from shared.refresh_report import RefreshReport
from shared.resources import Resource
from tests.builders import (
    absent_redis,
    make_entry,
    make_failure,
    make_list_entry,
    on_demand,
    queued_names,
    store_entry,
    store_failure,
    tracked,
)
from tests.reader.conftest import MakeApp

Run = Callable[..., Result]
ORG, REPOS, MONA = (
    tracked("/orgs/Netflix"),
    tracked("/orgs/Netflix/repos"),
    on_demand("/users/mona"),
)


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(orgs="Netflix")


@pytest.fixture
def run(app: Flask) -> Run:
    """Runs `flask cache ...` on the tests' Redis."""

    def run(*arguments: str) -> Result:
        return app.test_cli_runner().invoke(args=["cache", *arguments])

    return run


def fresh(redis: Redis, resource: Resource, **known: Any) -> None:
    """Have an entry in Redis that was confirmed just now."""
    now = time.time()
    known = {"validated_at": now, "fresh_until": now + 1000, "version": int(now * 1e6), **known}
    entry = make_list_entry(3, **known) if resource.expanded else make_entry(**known)
    store_entry(redis, resource, entry)
    redis.hset(keys.entry(resource), "name", resource.name)


def report_of(redis: Redis, resource: Resource, **known: Any) -> None:
    """Report a refresh, as a refresher does at its end."""
    defaults: dict[str, Any] = {
        "at": time.time(),
        "resource": resource.name,
        "outcome": RefreshOutcome.UPDATED,
        "seconds": 0.25,
        "requests": 1,
    }
    with redis.pipeline() as pipeline:
        refresh_report.note(pipeline, resource, RefreshReport(**{**defaults, **known}), keep_s=60)
        pipeline.execute()


@pytest.fixture
def a_worker(redis: Redis) -> str:
    """A refresher that is registered, though it does nothing."""
    key = "rq:worker:w1"
    redis.sadd("rq:workers", key)
    redis.sadd("rq:workers:refresh", key)
    redis.hset(key, items=["state", "idle", "hostname", "box", "pid", "7"])
    return key


@contextmanager
def a_refresher(redis: Redis, work: Callable[[Resource], None], *names: str) -> Iterator[None]:
    """Does `work` for each resource as soon as its refresh is queued."""
    ends = threading.Event()

    def watch() -> None:
        waiting = set(names)
        while waiting and not ends.wait(0.01):
            for name in waiting & set(queued_names(redis)):
                waiting.discard(name)
                work(tracked(name))

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    ends.set()
    thread.join()


class TestList:
    def test_shows_what_is_tracked_and_what_is_stored_on_demand(
        self, redis: Redis, run: Run
    ) -> None:
        fresh(redis, REPOS)
        fresh(redis, MONA)
        shown = run("list").output.splitlines()
        assert [line.split()[:2] for line in shown[1:]] == [
            ["/", "missing"],
            ["/orgs/Netflix", "missing"],
            ["/orgs/Netflix/members", "missing"],
            ["/orgs/Netflix/repos", "fresh"],
            ["/users/mona", "fresh"],
        ]
        assert "3 items" in shown[4]

    def test_leaves_on_demand_out_where_it_is_not_wanted(self, redis: Redis, run: Run) -> None:
        fresh(redis, MONA)
        assert "/users/mona" not in run("list", "--no-on-demand").output
        for number in range(5):
            fresh(redis, on_demand(f"/users/u{number}"))
        found = json.loads(run("list", "--limit", "2", "--json").output)
        assert sum(row["name"].startswith("/users/") for row in found) == 2

    def test_is_json_for_programs(self, redis: Redis, run: Run) -> None:
        fresh(redis, ORG)
        found = {row["name"]: row for row in json.loads(run("list", "--json").output)}
        assert found["/orgs/Netflix"]["state"] == "fresh"
        assert found["/"]["age_seconds"] is None

    @pytest.mark.parametrize("columns", [80, 100, 140])
    def test_fits_the_terminal(
        self, redis: Redis, run: Run, monkeypatch: pytest.MonkeyPatch, columns: int
    ) -> None:
        monkeypatch.setattr("reader.cli.printing._PLAIN_WIDTH", columns)
        fresh(redis, on_demand(f"/repos/{'o' * 39}/{'r' * 100}"))
        fresh(redis, ORG)
        store_failure(redis, ORG, make_failure())
        lines = run("list").output.splitlines()
        assert max(map(len, lines)) <= columns
        assert any("failing" in line for line in lines)
        assert sum("r" * 10 in line for line in lines) >= 1


class TestShow:
    def test_tells_all_that_is_known(self, redis: Redis, run: Run) -> None:
        fresh(redis, REPOS, etag="the-tag")
        report_of(redis, REPOS, outcome=RefreshOutcome.UNCHANGED, not_modified=1)
        output = run("show", "/orgs/netflix/REPOS").output
        for said in ("/orgs/Netflix/repos", "fresh", '"the-tag"', "3 items", "unchanged at GitHub"):
            assert said in output
        assert "100 % of 1 request" in output

    def test_tells_why_it_fails(self, redis: Redis, run: Run) -> None:
        fresh(redis, ORG)
        store_failure(redis, ORG, make_failure())
        assert "GitHub answered 502" in run("show", "/orgs/Netflix").output
        found = json.loads(run("show", "/orgs/Netflix", "--json").output)
        assert found["failure"]["status"] == 502

    def test_says_how_to_get_what_is_not_held(self, run: Run) -> None:
        shown = run("show", "/users/mona?page=2")
        assert shown.exit_code == 0
        assert "cache refresh /users/mona?page=2" in shown.output

    @pytest.mark.parametrize("path", ["/user", "nonsense", "/orgs/Netflix/hooks", ""])
    def test_refuses_what_is_not_to_be_had(self, run: Run, path: str) -> None:
        shown = run("show", path)
        assert shown.exit_code == 1
        assert "is not to be had here" in shown.output


@pytest.mark.usefixtures("a_worker")
class TestRefresh:
    def test_waits_and_says_how_it_ended(self, redis: Redis, run: Run) -> None:
        with a_refresher(redis, lambda resource: report_of(redis, resource), ORG.name):
            ended = run("refresh", "/orgs/Netflix")
        assert ended.exit_code == 0
        assert ended.output == "/orgs/Netflix: updated: new content was stored (0.25 s)\n"

    def test_fails_with_the_reason(self, redis: Redis, run: Run) -> None:
        failed = {"outcome": RefreshOutcome.FAILED, "reason": "GitHub answered 502"}
        with a_refresher(redis, lambda resource: report_of(redis, resource, **failed), ORG.name):
            ended = run("refresh", "/orgs/Netflix")
        assert ended.exit_code == 1
        assert "failed: GitHub answered 502" in ended.output

    def test_is_not_fooled_by_an_older_report(self, redis: Redis, run: Run) -> None:
        report_of(redis, ORG)
        ended = run("refresh", "/orgs/Netflix", "--timeout", "0.3")
        assert ended.exit_code == 1
        assert "was not done in 0 s" in ended.output

    def test_need_not_wait(self, redis: Redis, run: Run) -> None:
        ended = run("refresh", "/orgs/Netflix", "--no-wait")
        assert (ended.exit_code, ended.output) == (0, "/orgs/Netflix will be refreshed.\n")
        assert "/orgs/Netflix" in queued_names(redis)

    def test_does_not_wait_for_what_nobody_does(
        self, redis: Redis, run: Run, a_worker: str
    ) -> None:
        run("pause")
        assert "refreshing is paused" in run("refresh", "/orgs/Netflix").output
        run("resume")
        redis.delete(a_worker)
        assert "no refresher is alive" in run("refresh", "/orgs/Netflix").output


class TestPurge:
    @pytest.mark.usefixtures("a_worker")
    def test_asks_for_it_and_waits(self, redis: Redis, run: Run) -> None:
        fresh(redis, MONA)
        forget = threading.Timer(0.2, lambda: redis.delete(keys.entry(MONA)))
        forget.start()
        ended = run("purge", "/users/mona")
        forget.join()
        assert (ended.exit_code, ended.output) == (0, "/users/mona is forgotten.\n")

    def test_refuses_what_is_tracked(self, run: Run) -> None:
        ended = run("purge", "/orgs/Netflix")
        assert ended.exit_code == 1
        assert "use `refresh` instead" in ended.output


@pytest.mark.usefixtures("a_worker")
class TestWarm:
    NAMES = ("/", "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/repos")

    def test_has_everything_refreshed_that_is_not_fresh(self, redis: Redis, run: Run) -> None:
        fresh(redis, ORG)

        def work(resource: Resource) -> None:
            fresh(redis, resource)
            report_of(redis, resource)

        missing = [name for name in self.NAMES if name != ORG.name]
        with a_refresher(redis, work, *missing):
            ended = run("warm", "--timeout", "10")
        assert ended.exit_code == 0, ended.output
        assert "4 tracked resources fresh." in ended.output
        assert "/orgs/Netflix/repos: updated: new content was stored" in ended.output

    def test_asks_for_nothing_where_all_is_fresh(self, redis: Redis, run: Run) -> None:
        for name in self.NAMES:
            fresh(redis, tracked(name))
        redis.delete("rq:queue:refresh")
        assert run("warm").exit_code == 0
        assert queued_names(redis) == []

    def test_can_be_told_to_refresh_all_the_same(self, redis: Redis, run: Run) -> None:
        for name in self.NAMES:
            fresh(redis, tracked(name))
        with a_refresher(redis, lambda resource: report_of(redis, resource), *self.NAMES):
            assert run("warm", "--force", "--timeout", "10").exit_code == 0

    def test_names_what_failed(self, redis: Redis, run: Run) -> None:
        for name in self.NAMES[:-1]:
            fresh(redis, tracked(name))
        failed = {"outcome": RefreshOutcome.FAILED, "reason": "GitHub answered 502"}
        with a_refresher(redis, lambda resource: report_of(redis, resource, **failed), REPOS.name):
            ended = run("warm", "--timeout", "10")
        assert ended.exit_code == 1
        assert "failed: /orgs/Netflix/repos" in ended.output

    def test_ends_in_time(self, run: Run) -> None:
        ended = run("warm", "--timeout", "0.3")
        assert ended.exit_code == 1
        assert "not done in 0 s: /, /orgs/Netflix" in ended.output


def test_refreshers_are_paused_and_resumed(redis: Redis, run: Run) -> None:
    assert json.loads(run("pause", "--json").output) == {"paused": True}
    assert is_suspended(redis)
    assert json.loads(run("resume", "--json").output) == {"paused": False}
    assert not is_suspended(redis)


class TestDoctor:
    def test_ends_with_1_where_there_is_a_problem(self, run: Run) -> None:
        found = run("doctor")
        assert found.exit_code == 1
        assert "none is alive: nothing is refreshed" in found.output

    @pytest.mark.usefixtures("a_worker")
    def test_ends_with_0_where_there_is_none(self, redis: Redis, run: Run) -> None:
        for name in TestWarm.NAMES:
            fresh(redis, tracked(name))
        found = run("doctor", "--json")
        problems = [one for one in json.loads(found.output) if one["verdict"] == "problem"]
        assert problems == []
        assert found.exit_code == 0

    def test_reads_what_a_real_server_says(self, run: Run) -> None:
        found = {one["found"] for one in json.loads(run("doctor", "--json").output)}
        assert any("answers in" in one for one in found)
        assert any("nothing is evicted" in one for one in found)
        assert any("content outlives a restart, by snapshots" in one for one in found)


class TestWithoutRedis:
    @pytest.fixture
    def run(self, make_app: MakeApp) -> Run:
        port = absent_redis().connection_pool.connection_kwargs["port"]
        app = make_app(redis_url=f"redis://127.0.0.1:{port}")
        return lambda *arguments: app.test_cli_runner().invoke(args=["cache", *arguments])

    @pytest.mark.parametrize(
        "command",
        [
            *(["list"], ["show", "/"], ["refresh", "/"], ["purge", "/users/mona"], ["warm"]),
            *(["pause"], ["resume"]),
        ],
    )
    def test_one_line_says_so(self, run: Run, command: list[str]) -> None:
        ended = run(*command)
        assert ended.exit_code == 1
        assert ended.output == "Error: Redis does not answer (ConnectionError)\n"

    def test_the_doctor_says_what_can_be_said(self, run: Run) -> None:
        found = json.loads(run("doctor", "--json").output)
        assert {one["about"] for one in found} == {"settings", "redis"}
        assert found[-1]["verdict"] == "problem"


def test_reader_processes_do_not_load_what_only_commands_need() -> None:
    program = "import sys, reader.app; print('rich' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "False\n"
