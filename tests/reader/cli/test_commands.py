"""The command line on a real Redis, with a thread that plays the refresher."""

import json
import os
import re
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
from redis import Redis, RedisError
from redis.exceptions import (
    AuthenticationError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq import Queue
from rq.serializers import JSONSerializer
from rq.suspension import is_suspended

from reader.cli.context import complaint
from reader.fleet.suspension import suspend
from reader.status.page_input import NOTHING
from refresher.storage.entry_writer import EntryWriter
from scripts.embedded_redis import EmbeddedRedis
from scripts.running import ROOT
from shared import refresh_report, spending
from shared.outcomes import RefreshOutcome
from shared.queueing import QUEUE
from shared.redis import keys
from shared.redis.store import Store
from shared.refresh_report import RefreshReport
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.spending import spenders
from tests.builders import (
    absent_redis,
    make_entry,
    make_failure,
    make_list_entry,
    make_settings,
    on_demand,
    queued_names,
    store_entry,
    store_failure,
    tracked,
)
from tests.reader.conftest import MakeApp
from tests.waiting import eventually, meanwhile

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
    """Store an entry that was confirmed just now."""
    now = time.time()
    known = {"validated_at": now, "fresh_until": now + 1000, "version": int(now * 1e6), **known}
    entry = make_list_entry(3, **known) if resource.kind.is_expanded else make_entry(**known)
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
        report = RefreshReport(**{**defaults, **known})
        refresh_report.note(pipeline, resource, report, keep_s=60)
        if report.kind is None:  # it has handled the invalidation
            pipeline.delete(keys.invalidated_by(resource))
        pipeline.execute()


@pytest.fixture
def a_worker(redis: Redis) -> str:
    """A registered refresher that does nothing."""
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
    try:
        yield
    finally:
        ends.set()
        thread.join()


def once_queued(redis: Redis, resource: Resource, work: Callable[[], object]) -> None:
    """Do `work` as soon as a refresh or removal of a resource is queued."""
    jobs = {resource.name, f"forget {resource.name}"}
    eventually(lambda: jobs.intersection(queued_names(redis)), every=0.01)
    work()


class TestList:
    def test_shows_what_is_tracked_and_what_is_stored_on_demand(
        self, redis: Redis, run: Run
    ) -> None:
        fresh(redis, REPOS)
        fresh(redis, MONA)
        shown = run("list").output.splitlines()
        names = [resource.name for resource in Catalogue(("Netflix",)).tracked]
        assert [line.split()[:2] for line in shown[1:]] == [
            *([name, "fresh" if name == REPOS.name else "missing"] for name in names),
            ["/users/mona", "fresh"],
        ]
        assert shown[1 + names.index(REPOS.name)].split()[-5:] == ["3", "31", "B", NOTHING, NOTHING]
        assert shown == [line.rstrip() for line in shown]

    def test_omits_on_demand_resources_on_request(self, redis: Redis, run: Run) -> None:
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

    def test_shortens_nothing_without_a_terminal(self, redis: Redis, run: Run) -> None:
        long = on_demand(f"/repos/{'o' * 39}/{'r' * 100}/contents/{'c' * 300}")
        fresh(redis, long)
        assert f"\n{long.name}  fresh " in run("list").output

    def test_says_why_something_fails(self, redis: Redis, run: Run) -> None:
        fresh(redis, ORG)
        now = time.time()
        store_failure(redis, ORG, make_failure(at=now, since=now, retry_at=now + 30))
        shown = run("list").output
        assert re.search("^/orgs/Netflix +failing ", shown, re.MULTILINE)
        assert "\n/orgs/Netflix  GitHub answered 502 (once). Since " in shown

    def test_says_that_there_is_more(self, redis: Redis, run: Run) -> None:
        for number in range(3):
            fresh(redis, on_demand(f"/users/u{number}"))
        assert "More than 2 on-demand resources are stored" in run("list", "--limit", "2").output
        assert "More than" not in run("list", "--limit", "3").output


class TestShow:
    def test_shows_all_that_is_known(self, redis: Redis, run: Run) -> None:
        fresh(redis, REPOS, etag="the-tag")
        report_of(redis, REPOS, outcome=RefreshOutcome.UNCHANGED, not_modified=1)
        output = run("show", "/orgs/netflix/REPOS").output
        for said in ("/orgs/Netflix/repos", "fresh", '"the-tag"', "3 items", "unchanged at GitHub"):
            assert said in output
        assert "1, with 1 request, of which 100 % were not modified (304)" in output
        assert "Took" in output

    def test_shows_why_it_fails(self, redis: Redis, run: Run) -> None:
        fresh(redis, ORG)
        store_failure(redis, ORG, make_failure())
        assert "Held back     GitHub answered 502 (" in run("show", "/orgs/Netflix").output
        found = json.loads(run("show", "/orgs/Netflix", "--json").output)
        assert found["failure"]["status"] == 502

    def test_says_how_to_fetch_what_is_not_cached(self, run: Run) -> None:
        shown = run("show", "/users/mona?page=2")
        assert shown.exit_code == 0
        assert "cache refresh '/users/mona?page=2'" in shown.output  # as a shell wants it

    def test_shows_a_running_refresh(self, redis: Redis, run: Run) -> None:
        redis.set(keys.running(REPOS), "someone", ex=60)
        redis.set(keys.progress(REPOS), '{"page": 2, "pages": 3}')
        assert "held by a refresher" in run("show", "/orgs/Netflix/repos").output
        found = json.loads(run("show", "/orgs/Netflix/repos", "--json").output)
        assert (found["refreshing"], found["page"], found["of_pages"]) == (True, 2, 3)

    def test_shows_every_report_of_one_second(self, redis: Redis, run: Run) -> None:
        now = time.time()
        for job in ("one", "two"):
            report_of(redis, ORG, at=now, job_id=job)
        assert run("show", "/orgs/Netflix").output.count("updated: new content") == 2

    def test_has_stable_keys_in_its_json(self, redis: Redis, run: Run) -> None:
        fresh(redis, ORG)
        found = json.loads(run("show", "/orgs/Netflix", "--json").output)
        assert sorted(found) == [
            *(
                "age_seconds",
                "doubt",
                "encoded_bytes",
                "failure",
                "fresh_until",
                "holds",
                "items",
                "last_at",
            ),
            *("last_outcome", "metadata", "name", "next_at", "not_modified", "of_pages", "page"),
            *("pages", "queued", "refreshes", "refreshing", "reports", "requests", "size_bytes"),
            *("state", "status", "told", "tracked"),
        ]
        documented = (ROOT / "docs" / "command-line.md").read_text()
        assert [name for name in found if f"`{name}`" not in documented] == []
        listed = json.loads(run("list", "--json").output)[1]
        assert {name: found[name] for name in listed if name != "age_seconds"} == {
            name: one for name, one in listed.items() if name != "age_seconds"
        }

    @pytest.mark.parametrize("path", ["/user", "nonsense", "/orgs/Netflix/hooks", ""])
    def test_refuses_what_is_not_served(self, run: Run, path: str) -> None:
        shown = run("show", path)
        assert shown.exit_code == 1
        assert "is not served by this cache" in shown.output
        assert shown.output.count("\n") == 1


@pytest.mark.usefixtures("a_worker")
class TestRefresh:
    def test_waits_and_says_how_it_ended(self, redis: Redis, run: Run) -> None:
        with a_refresher(redis, lambda resource: report_of(redis, resource), ORG.name):
            ended = run("refresh", "/orgs/Netflix")
        assert ended.exit_code == 0
        assert ended.output == "/orgs/Netflix: updated: new content was stored (250 ms)\n"

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
        assert "was not done in 300 ms" in ended.output

    def test_need_not_wait(self, redis: Redis, run: Run) -> None:
        ended = run("refresh", "/orgs/Netflix", "--no-wait")
        assert (ended.exit_code, ended.output) == (0, "/orgs/Netflix will be refreshed.\n")
        assert "/orgs/Netflix" in queued_names(redis)
        run("pause")
        ended = run("refresh", "/orgs/Netflix", "--no-wait")
        assert "will be refreshed, but refreshing is paused" in ended.output

    def test_is_enqueued_again_if_its_job_was_lost(
        self, redis: Redis, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("reader.cli.wait._LOST", 0.2)

        def work() -> None:
            once_queued(redis, ORG, lambda: redis.delete("rq:queue:refresh"))
            once_queued(redis, ORG, lambda: report_of(redis, ORG))

        with meanwhile(work):
            ended = run("refresh", "/orgs/Netflix", "--timeout", "60")
        assert ended.exit_code == 0, ended.output

    def test_stops_waiting_when_refreshing_is_paused_meanwhile(
        self, redis: Redis, run: Run
    ) -> None:
        def pause() -> None:
            once_queued(redis, ORG, lambda: suspend(redis, now=time.time()))

        with meanwhile(pause):
            ended = run("refresh", "/orgs/Netflix", "--timeout", "3600")
        assert "It is queued, but refreshing is paused" in ended.output

    def test_does_not_wait_if_nothing_is_refreshed(
        self, redis: Redis, run: Run, a_worker: str
    ) -> None:
        run("pause")
        assert "refreshing is paused" in run("refresh", "/orgs/Netflix").output
        run("resume")
        redis.delete(a_worker)
        assert "no refresher is running" in run("refresh", "/orgs/Netflix").output


class TestPurge:
    @pytest.mark.usefixtures("a_worker")
    @pytest.mark.parametrize("is_stored", [True, False])
    def test_enqueues_it_and_waits(self, redis: Redis, run: Run, is_stored: bool) -> None:
        if is_stored:
            fresh(redis, MONA)
        writer = EntryWriter(redis, make_settings())
        began = threading.Event()

        def forget_it() -> None:
            began.set()
            writer.forget(MONA)

        with meanwhile(lambda: once_queued(redis, MONA, forget_it)):
            ended = run("purge", "/users/mona")
            assert began.is_set()
        assert (ended.exit_code, ended.output) == (0, "/users/mona is removed.\n")

    def test_does_not_wait_if_nothing_is_refreshed(self, run: Run) -> None:
        ended = run("purge", "/users/mona")
        assert ended.exit_code == 1
        assert "It is queued, but no refresher is running" in ended.output

    def test_has_what_is_tracked_read_anew(self, redis: Redis, run: Run) -> None:
        fresh(redis, ORG)
        ended = run("purge", "/orgs/Netflix", "--no-wait")
        assert ended.exit_code == 0
        assert "will be read anew, and is served until then" in ended.output
        state = Store(redis).state(ORG)
        assert state.is_to_be_read_anew
        assert state.metadata is not None

    @pytest.mark.usefixtures("a_worker")
    @pytest.mark.parametrize("outcome", [RefreshOutcome.UNCHANGED, RefreshOutcome.FAILED])
    def test_waits_until_what_is_tracked_was_read(
        self, redis: Redis, run: Run, outcome: RefreshOutcome
    ) -> None:
        fresh(redis, ORG)
        began = threading.Event()

        def read() -> None:
            began.set()
            report_of(redis, ORG, outcome=outcome)

        with meanwhile(lambda: once_queued(redis, ORG, read)):
            ended = run("purge", "/orgs/Netflix")
            assert began.is_set()
        assert ended.exit_code == (0 if outcome is RefreshOutcome.UNCHANGED else 1)
        assert ended.output.startswith("/orgs/Netflix: ")


@pytest.mark.usefixtures("a_worker")
class TestWarm:
    NAMES = tuple(resource.name for resource in Catalogue(("Netflix",)).tracked)
    OTHERS = tuple(name for name in NAMES if name != REPOS.name)

    def test_refreshes_everything_that_is_not_fresh(self, redis: Redis, run: Run) -> None:
        fresh(redis, ORG)

        def work(resource: Resource) -> None:
            fresh(redis, resource)
            report_of(redis, resource)

        missing = [name for name in self.NAMES if name != ORG.name]
        with a_refresher(redis, work, *missing):
            ended = run("warm", "--timeout", "60")
        assert ended.exit_code == 0, ended.output
        assert f"{len(self.NAMES)} tracked resources fresh." in ended.output
        assert "/orgs/Netflix/repos: updated: new content was stored" in ended.output

    def test_enqueues_nothing_if_all_is_fresh(self, redis: Redis, run: Run) -> None:
        for name in self.NAMES:
            fresh(redis, tracked(name))
        redis.delete("rq:queue:refresh")
        assert run("warm").exit_code == 0
        assert queued_names(redis) == []

    def test_refreshes_fresh_entries_that_lack_what_this_release_derives(
        self, redis: Redis, run: Run
    ) -> None:
        for name in self.NAMES:
            fresh(redis, tracked(name))
        meta = json.loads(redis.hget(keys.entry(REPOS), "meta") or b"")
        redis.hset(keys.entry(REPOS), "meta", json.dumps({**meta, "derived": {}}))

        def work(resource: Resource) -> None:
            fresh(redis, resource)
            report_of(redis, resource)

        with a_refresher(redis, work, REPOS.name):
            ended = run("warm", "--timeout", "60")
        assert ended.exit_code == 0, ended.output
        assert "/orgs/Netflix/repos: updated" in ended.output

    def test_refreshes_fresh_resources_with_force(self, redis: Redis, run: Run) -> None:
        for name in self.NAMES:
            fresh(redis, tracked(name))
        with a_refresher(redis, lambda resource: report_of(redis, resource), *self.NAMES):
            assert run("warm", "--force", "--timeout", "60").exit_code == 0

    def test_names_what_failed(self, redis: Redis, run: Run) -> None:
        for name in self.OTHERS:
            fresh(redis, tracked(name))
        failed = {"outcome": RefreshOutcome.FAILED, "reason": "GitHub answered 502"}
        with a_refresher(redis, lambda resource: report_of(redis, resource, **failed), REPOS.name):
            ended = run("warm", "--timeout", "60")
        assert ended.exit_code == 1
        assert "Failed: /orgs/Netflix/repos" in ended.output

    def test_retries_before_a_distant_next_try(self, redis: Redis, run: Run) -> None:
        for name in self.OTHERS:
            fresh(redis, tracked(name))
        store_failure(redis, REPOS, make_failure(retry_at=time.time() + 3600))

        asked: list[Any] = []

        def work(resource: Resource) -> None:
            queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
            asked.extend(job.kwargs for job in queue.jobs)
            fresh(redis, resource)
            redis.delete(keys.failure(resource))
            report_of(redis, resource)

        with a_refresher(redis, work, REPOS.name):
            assert run("warm", "--timeout", "60").exit_code == 0
        assert asked == [{"force": True}]

    def test_does_not_wait_if_nothing_is_refreshed(
        self, redis: Redis, run: Run, a_worker: str
    ) -> None:
        redis.delete(a_worker)
        ended = run("warm")
        assert ended.exit_code == 1
        assert "no refresher is running" in ended.output

    def test_ends_in_time(self, run: Run) -> None:
        ended = run("warm", "--timeout", "0.3")
        assert ended.exit_code == 1
        assert "Not done in 300 ms: /, /orgs/Netflix" in ended.output


class TestUsage:
    """`cache usage`."""

    @pytest.fixture(autouse=True)
    def _spent(self, redis: Redis) -> None:
        with redis.pipeline() as pipeline:
            for resource, client, requests in ((MONA, "192.0.2.7", 1200), (ORG, None, 300)):
                spent = dict.fromkeys(spenders(resource, client), requests)
                spending.add(pipeline, spent, now=time.time())
            pipeline.execute()

    def test_names_paths_and_clients(self, run: Run) -> None:
        lines = [re.split(" {2,}", line) for line in run("usage").output.splitlines()]
        assert ["/users/mona", "1\u202f200", "80 %"] in lines
        assert ["/orgs/Netflix", "300", "20 %"] in lines
        assert ["192.0.2.7", "1\u202f200", "80 %"] in lines
        assert ["tracked content", "300", "20 %"] in lines
        assert lines[-1] == ["1\u202f500 requests to GitHub in the last hour."]

    def test_is_json_for_programs(self, run: Run) -> None:
        assert json.loads(run("usage", "--json").output) == {
            "requests": 1500,
            "paths": [
                {"name": "/users/mona", "requests": 1200},
                {"name": "/orgs/Netflix", "requests": 300},
            ],
            "clients": [
                {"name": "192.0.2.7", "requests": 1200},
                {"name": "tracked content", "requests": 300},
            ],
        }


def test_refreshers_are_paused_and_resumed(redis: Redis, run: Run) -> None:
    assert json.loads(run("pause", "--json").output) == {"paused": True}
    assert is_suspended(redis)
    assert json.loads(run("resume", "--json").output) == {"paused": False}
    assert not is_suspended(redis)


class TestDoctor:
    def test_exits_with_1_if_there_is_a_problem(self, run: Run) -> None:
        found = run("doctor")
        assert found.exit_code == 1
        assert "none is running: nothing is refreshed" in found.output

    def test_reports_what_it_can_if_little_is_allowed(
        self, redis: Redis, redis_server: EmbeddedRedis, make_app: MakeApp
    ) -> None:
        redis.acl_setuser(
            "reader",
            enabled=True,
            passwords=["+word"],
            commands=["+@all", "-info", "-config"],
            keys=["*"],
            channels=["*"],
        )
        url = redis_server.url.replace("//", "//reader:word@")
        try:
            runner = make_app(redis_url=url).test_cli_runner()
            found = json.loads(runner.invoke(args=["cache", "doctor", "--json"]).output)
        finally:
            redis.acl_deluser("reader")
        said = {one["about"]: one for one in found}
        assert "INFO is not allowed" in said["redis"]["found"]
        assert said["redis"]["verdict"] == "note"
        assert {"clocks", "refreshers", "queue", "credentials", "content"} <= set(said)

    @pytest.mark.usefixtures("a_worker")
    def test_exits_with_0_without_a_problem(self, redis: Redis, run: Run) -> None:
        for name in TestWarm.NAMES:
            fresh(redis, tracked(name))
        found = run("doctor", "--json")
        problems = [one for one in json.loads(found.output) if one["verdict"] == "problem"]
        assert problems == []
        assert found.exit_code == 0

    def test_reads_what_a_real_server_says(self, run: Run) -> None:
        found = {one["found"] for one in json.loads(run("doctor", "--json").output)}
        assert any("responds in" in one for one in found)
        assert any("nothing is evicted" in one for one in found)
        assert any("content survives a restart, by snapshots" in one for one in found)


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
    def test_each_command_ends_with_one_line(self, run: Run, command: list[str]) -> None:
        ended = run(*command)
        assert ended.exit_code == 1
        assert ended.output == "Error: Redis does not respond (ConnectionError)\n"

    def test_the_doctor_reports_what_it_can(self, run: Run) -> None:
        found = json.loads(run("doctor", "--json").output)
        assert {one["about"] for one in found} == {"settings", "redis", "held back"}
        assert [one["verdict"] for one in found[-2:]] == ["problem", "note"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AuthenticationError("WRONGPASS"), "Redis refuses the password, or requires one"),
        (ReadOnlyError("You can't write"), "Redis is a read-only replica: point REDIS_URL at"),
        (OutOfMemoryError("not allowed"), "Redis is out of memory: raise maxmemory"),
        (ResponseError("MISCONF Redis is"), "Redis cannot save its data (MISCONF): see Redis's"),
        (ResponseError("NOPERM no"), "Redis refuses the command: NOPERM no"),
        (RedisTimeoutError("Timeout"), "Redis does not respond"),
    ],
)
def test_a_refusal_by_redis_is_not_reported_as_an_outage(error: RedisError, said: str) -> None:
    assert complaint(error).startswith(said)


def test_help_needs_no_redis() -> None:
    environment = {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "flask", "--app", "reader", "cache"]
    for arguments in ([], ["--help"], ["refresh", "--help"]):
        ran = subprocess.run(
            [*command, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Usage: " in ran.stdout + ran.stderr
        assert "REDIS_URL is not set" not in ran.stderr


def test_a_reader_does_not_import_what_only_commands_need() -> None:
    # What structlog imports for gunicorn's logs is its own matter.
    program = (
        "import sys, reader.asgi, reader.front.worker\n"
        "print([name for name in sys.modules if name.partition('.')[0] == 'rich'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "REDIS_URL": "redis://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout == "[]\n"
