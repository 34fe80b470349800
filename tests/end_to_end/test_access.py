"""With the users of `deploy/redis/users.acl` a fleet does all that it does, and readers no more."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError
from rq import Queue
from rq.serializers import JSONSerializer

from scripts.embedded_redis import EmbeddedRedis, EmbeddedRedisError
from shared.queueing import QUEUE
from shared.redis import keys
from shared.redis.connection import client_of
from tests.builders import on_demand, tracked
from tests.end_to_end.access import RULES, GuardedRedis
from tests.end_to_end.fleet import Fleet, Reader, Running, procfile
from tests.end_to_end.tls import has_tls_redis, tls_binary
from tests.end_to_end.up_to_date import await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.webhooks import star
from tests.waiting import eventually

REPOS = tracked("/orgs/Netflix/repos")
ADMIN = "AdminOfTheStatusPage"
AUTHORITY = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture
def guarded(tmp_path: Path) -> GuardedRedis:
    return GuardedRedis(tmp_path / "redis")


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess, guarded: GuardedRedis) -> Iterator[Fleet]:
    with Fleet(tmp_path, github.url, guarded, CACHE_TTL=3, ADMIN_TOKEN=ADMIN) as made:
        yield made


def test_a_fleet_does_all_that_it_does_and_nothing_is_refused(
    fleet: Fleet, guarded: GuardedRedis, github: FakeGitHubProcess
) -> None:
    as_reader = {"REDIS_URL": guarded.url_of("reader")}
    as_refresher = {"REDIS_URL": guarded.url_of("refresher")}
    token = {"GITHUB_API_TOKEN": "ghp_forRefreshers"}
    workers = [fleet.worker(**as_refresher, **token) for _ in range(2)]
    scheduler = fleet.scheduler(**as_refresher)
    reader = fleet.healthy_reader(**as_reader, GITHUB_WEBHOOK_SECRET="hooks")
    github.mutate("star", repo=7, by=1000)
    await_up_to_date(github, reader)
    assert reader.get("/users/netflix").status_code == 200
    for path in ("/status", "/status.json", "/metrics", "/view/top/3/stars"):
        assert reader.get(path).status_code == 200
    assert tell(reader) == 202, guarded.refused()
    act(reader, "forget", resource="/users/netflix")
    act(reader, "refresh", resource=REPOS.name)
    act(reader, "pause")
    eventually(lambda: reader.get("/status.json").json()["paused"], what="it is paused")
    act(reader, "resume")
    sign_in_and_out(reader)
    for words in (
        *("list", f"show {REPOS.name}", f"refresh {REPOS.name}", "warm --force", "pause"),
        *("resume", "doctor", "refresh /users/netflix", "purge /users/netflix"),
    ):
        ran = fleet.cache(*words.split(), **as_reader)
        assert ran.returncode == 0, f"{words}: {ran.stdout}{ran.stderr}"
    reader.stop()  # it signs off
    for process in (*workers, scheduler):
        assert process.process.poll() is None, process.output
        process.stop()
    # The doctor asks how Redis keeps its data; what CONFIG tells, passwords too, is for no reader.
    assert guarded.refused() == [("reader", "command", "config|get")]


def tell(reader: Reader) -> int:
    """A webhook of GitHub's; gives the status of the answer."""
    body, headers = star("hooks")
    url = f"{reader.url}/webhooks/github"
    return requests.post(url, data=body, headers=headers, timeout=60).status_code


def act(reader: Reader, action: str, **form: str) -> None:
    """Have an operator's wish taken."""
    url = f"{reader.url}/status/{action}"
    assert requests.post(url, data=form, headers=AUTHORITY, timeout=60).status_code == 202


def sign_in_and_out(reader: Reader) -> None:
    """As an operator does who mistypes first."""
    with requests.Session() as browser:
        for token, status in (("wrong", 401), (ADMIN, 200)):
            url = f"{reader.url}/status/sign-in"
            answer = browser.post(url, data={"token": token}, timeout=60)
            assert answer.status_code == status
        csrf = answer.text.partition('name="csrf" value="')[2].partition('"')[0]
        url = f"{reader.url}/status/sign-out"
        assert browser.post(url, data={"csrf": csrf}, timeout=60).status_code == 200


@pytest.fixture(scope="module")
def redis_of_a_reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A client with the reader's user."""
    guarded = GuardedRedis(tmp_path_factory.mktemp("guarded") / "redis")
    guarded.start()
    with client_of(guarded.url_of("reader")) as client:
        yield client
    guarded.stop()


USER = on_demand("/users/netflix")


@pytest.mark.parametrize(
    "key",
    [
        *(keys.entry(REPOS), keys.entry(USER), keys.pages(REPOS), keys.failure(REPOS)),
        *(keys.fence(REPOS), keys.lock(REPOS), keys.forgotten(USER), keys.record(REPOS)),
        *(keys.app_token("app-1"), keys.app_renewal("app-1"), keys.budget("x", "core")),
        *(keys.PAUSE, keys.IN_FLIGHT, keys.LARGE, keys.MEASURES, keys.CLASSES, keys.ORIGIN),
        *("rq:worker:somebody", "rq:workers", "rq:queue:another", "of-somebody-else"),
    ],
)
@pytest.mark.parametrize(
    "command", ["SET {} x", "HSET {} x y", "DEL {}", "EXPIRE {} 1", "SADD {} x", "LPUSH {} x"]
)
def test_a_reader_cannot_write_what_refreshers_write(
    redis_of_a_reader: Redis, key: str, command: str
) -> None:
    with pytest.raises(NoPermissionError):
        redis_of_a_reader.execute_command(*command.format(key).split())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "command",
    [
        *("FLUSHALL", "FLUSHDB", "KEYS *", "CONFIG GET *", "CONFIG SET save x", "ACL LIST"),
        *("SHUTDOWN", "SWAPDB 0 1", "REPLICAOF NO ONE", "MONITOR", "CLIENT LIST", "SAVE"),
        *("SCRIPT LOAD x", "FUNCTION LIST", "CLIENT KILL TYPE normal"),
        *("PUBLISH rq:pubsub:worker x", f"GET {keys.app_token('app-1')}"),
        # GitHub's pages are kept as they were sent, with what only a credential sees.
        *(
            f"HGETALL {keys.pages(REPOS)}",
            f"HMGET {keys.pages(REPOS)} 1",
            f"HGETALL {keys.reading(REPOS)}",
            f"DUMP {keys.pages(USER)}",
        ),
        f"RENAME {keys.READERS} {keys.MEASURES}",
    ],
)
def test_a_reader_cannot_do_what_is_none_of_its_business(
    redis_of_a_reader: Redis, command: str
) -> None:
    with pytest.raises(NoPermissionError):
        redis_of_a_reader.execute_command(*command.split())  # type: ignore[no-untyped-call]


def test_a_script_is_no_way_around_that(redis_of_a_reader: Redis) -> None:
    with pytest.raises(ResponseError):
        redis_of_a_reader.eval("return redis.call('DEL', KEYS[1])", 1, keys.entry(REPOS))


@pytest.mark.skipif(not has_tls_redis(), reason="no second Redis: Debian's redis-tools")
def test_debians_redis_takes_the_rules_as_well(tmp_path: Path) -> None:
    guarded = GuardedRedis(tmp_path / "redis", binary=tls_binary(tmp_path / "program"))
    guarded.start()
    with client_of(guarded.url_of("reader")) as reader:
        assert reader.exists(keys.entry(REPOS)) == 0
    guarded.stop()


def test_the_rules_name_the_keys_of_this_schema() -> None:
    assert f"~{keys.entry(REPOS).partition('entry:')[0]}*" in RULES.read_text()


def test_rules_whose_passwords_were_not_put_in_are_not_taken(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis", arguments=("--aclfile", str(RULES)))
    with pytest.raises(EmbeddedRedisError):
        server.start()


PLAIN = ["rq", "worker", "--config", "refresher.rq_config", "--serializer", "json", "refresh"]


@pytest.mark.parametrize("command", [procfile()["refresher"], PLAIN], ids=["Procfile", "plain"])
def test_whoever_may_put_jobs_in_the_queue_runs_nothing_in_a_refresher(
    command: list[str], tmp_path: Path, fleet: Fleet, guarded: GuardedRedis
) -> None:
    made = tmp_path / "made by a job"
    with client_of(guarded.url_of("reader")) as redis:
        queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        job = queue.enqueue_call("os.mkdir", args=[str(made)], failure_ttl=600)
        environment = fleet.environment(REDIS_URL=guarded.url_of("refresher"))
        worker = Running(command, environment, tmp_path / "worker.log")
        try:
            key = f"rq:job:{job.id}"
            eventually(lambda: redis.hget(key, "status") == b"failed", what="it was tried")
        finally:
            worker.stop()
        assert not made.exists()
        assert "NotPermittedError" in worker.output
