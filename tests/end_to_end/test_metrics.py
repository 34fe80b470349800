"""What Prometheus reads is exactly what happened, whichever reader and process is asked."""

import json
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import psutil
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from reader.fleet.metrics import PREFIX
from reader.telemetry.counters import Route
from reader.temporary_files import Use
from refresher.github.auth.credentials import Token
from shared.holds import HoldKind
from shared.measures import BUCKETS
from shared.mended import Damage
from shared.outcomes import DriftCheck, FailureKind, RefreshOutcome, Refusal, Served
from shared.queue_order import Lane, Priority
from shared.queueing import Asked
from shared.redis.trouble import REFUSING
from shared.resources import kinds
from shared.version import VERSION
from tests.end_to_end.fleet import Fleet, Reader, Running
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection
from tests.waiting import eventually

TOKEN = "ghp_secret0123456789"
TRACKED = ["/", "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/repos"]
USER, NOBODY = "/users/netflix", "/users/nobody-of-that-name"
VIEW = Route.VIEW.value
# Those that nobody asks for but the tests: counted from the very beginning.
CONTENT = {*(kind.route for kind in (*kinds.TRACKED, kinds.ON_DEMAND)), VIEW, Route.OTHER}
# Those that are asked for until a reader is well: counted from when a test began.
HEALTH = {Route.LIVEZ, Route.HEALTHCHECK}

Key = tuple[str, str, str]  # route, outcome, status


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess() as server:
        yield server


@pytest.fixture(scope="module")
def fleet(github: FakeGitHubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Nothing in its Redis becomes stale."""
    folder = tmp_path_factory.mktemp("fleet")
    lasting = {"CACHE_TTL": 5000, "ON_DEMAND_TTL": 5000, "ON_DEMAND_KEEP": 5000}
    with Fleet(folder, github.url, GITHUB_API_TOKEN=TOKEN, **lasting) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def workers(fleet: Fleet) -> list[Running]:
    return [fleet.worker(), fleet.worker()]


class Scrape:
    """What a reader exposes at one moment."""

    def __init__(self, reader: Reader) -> None:
        answer = reader.get("/metrics")
        assert answer.status_code == 200
        self.families: list[Metric] = list(text_string_to_metric_families(answer.text))

    def of(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """The samples of one name, by the values of these labels."""
        return {
            tuple(one.labels[label] for label in labels): one.value
            for family in self.families
            for one in family.samples
            if one.name == PREFIX + name
        }

    def requests(self, *routes: str) -> dict[Key, float]:
        """Answers of some routes."""
        found = self.of("requests_total", "route", "outcome", "status")
        return {(r, o, s): n for (r, o, s), n in found.items() if r in routes}


def connections(stack: ExitStack, reader: Reader, processes: int) -> list[Connection]:
    """A kept connection to each process of a reader, which holds all that is tracked."""
    eventually(lambda: len(reader.processes()) == processes, what="all processes run")
    found = []
    for process in reader.processes():
        others = [other for other in reader.processes() if other != process]
        with stopped(others):  # whoever is quickest takes a connection: let there be one
            connection = stack.enter_context(Connection(reader.url))
            eventually(partial(is_well, connection), what="the process holds all that is tracked")
        found.append(connection)
    return found


def is_well(connection: Connection) -> bool:
    return connection.ask("/healthcheck").status == 200


@contextmanager
def stopped(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """Have processes stand still inside the block."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def settled(reader: Reader) -> Scrape:
    """What is exposed once all processes have written down what they have counted."""

    def twice() -> Scrape | None:
        before = Scrape(reader).requests(*CONTENT, *HEALTH)
        time.sleep(1.5)
        after = Scrape(reader)
        return after if after.requests(*CONTENT, *HEALTH) == before else None

    scrape = eventually(twice, what="nothing is counted any more")
    assert isinstance(scrape, Scrape)
    return scrape


class Series:
    """Requests on kept connections, and what each has to be counted as."""

    def __init__(self) -> None:
        self.expected: Counter[Key] = Counter()

    def ask(
        self, connection: Connection, target: str, key: Key, *, times: int = 1, **options: str
    ) -> None:
        """Ask for a target, and expect each time to be counted so."""
        for _ in range(times):
            answer = connection.ask(target, **options)
            assert answer.status == int(key[2]), (target, answer)
        self.expected[key] += times

    def run(self, connection: Connection, *, miss: str) -> None:
        """Of everything a little; `miss` is how on-demand content is come by at first."""
        tag = connection.ask("/orgs/Netflix").headers["etag"]
        self.expected["/orgs/{org}", "local", "200"] += 1
        ask = partial(self.ask, connection)
        ask("/orgs/Netflix", ("/orgs/{org}", "local", "200"), times=5)
        ask("/orgs/Netflix", ("/orgs/{org}", "local", "304"), times=2, If_None_Match=tag)
        members = ("/orgs/{org}/members", "local", "200")
        ask("/orgs/Netflix/members", members, times=3, method="HEAD")
        ask("/orgs/Netflix/repos?page=2", ("/orgs/{org}/repos", "local", "200"), times=2)
        ask("/", ("/", "local", "200"), X_Request_Id="abc-123")
        ask("/view/top/3/stars", (VIEW, "local", "200"), times=4)
        ask("/view/bottom/3/forks", (VIEW, "local", "200"))
        ask("/view/top/0/stars", ("other", "refused", "400"), times=2)
        ask("/user", ("other", "refused", "401"), times=3)
        ask("/orgs/Netflix", ("other", "refused", "405"), method="DELETE")
        ask("/orgs/Netflix", ("other", "own", "204"), method="OPTIONS")
        ask(USER, ("on-demand", miss, "200"))
        ask(USER, ("on-demand", "local", "200"), times=2)
        ask(NOBODY, ("on-demand", miss, "404"))
        ask("/livez", ("/livez", "own", "200"), times=3)
        ask("/healthcheck", ("/healthcheck", "own", "200"), times=2)


def check_labels(scrape: Scrape) -> None:
    """Every label is from a closed set: no path that a client sent is one."""
    words = {
        "route": {*Route, *CONTENT},
        "outcome": {*Served, *RefreshOutcome},
        "resource": set(TRACKED),
        "credential": {Token(TOKEN).id},
        "class": {"core"},
        "kind": {"tracked", "on-demand"},
        "reason": set(FailureKind),
        "result": {*Asked, *DriftCheck},
        "state": {"idle", "busy", "suspended"},
        "what": {"look", "body", "held", "lost"},
        "version": {VERSION},
        "process": {"reader", "refresher"},
        "party": {"tracked", "on-demand"},
        "lane": set(Lane),
        "priority": set(Priority),
        "cause": set(Refusal),
        "trouble": set(REFUSING),
        "hold": set(HoldKind),
        "damage": set(Damage),
        "use": set(Use),
    }
    bounds = {float(bound) for bounds in BUCKETS.values() for bound in bounds}
    for family in scrape.families:
        for sample in family.samples:
            for label, value in sample.labels.items():
                if label == "status":
                    assert re.fullmatch(r"[1-5][0-9][0-9]|none", value), sample
                elif label == "le":
                    assert float(value) in bounds
                else:
                    assert value in words[label], sample


def check_histogram(scrape: Scrape) -> None:
    """Every request is in the histogram, in every scrape."""
    requests: Counter[str] = Counter()
    every = scrape.of("requests_total", "route", "outcome", "status")
    for (_, outcome, _), number in every.items():
        requests[outcome] += int(number)
    counts = scrape.of("request_duration_seconds_count", "outcome")
    assert {outcome: number for (outcome,), number in counts.items()} == requests
    largest = scrape.of("request_duration_seconds_bucket", "le", "outcome")
    assert {o: n for (le, o), n in largest.items() if le == "+Inf"} == requests


def outcomes_logged(workers: list[Running]) -> dict[tuple[str, str], int]:
    """How refreshes ended, by the lines that the refreshers wrote."""
    found: Counter[tuple[str, str]] = Counter()
    for worker in workers:
        for line in worker.output.split("\n")[:-1]:
            known = json.loads(line)
            if known.get("event", "").startswith("refresh of "):
                kind = "tracked" if known["resource"] in TRACKED else "on-demand"
                found[kind, known["outcome"]] += 1
    return dict(found)


def test_two_readers_of_two_processes_tell_exactly_what_happened(
    fleet: Fleet, github: FakeGitHubProcess, workers: list[Running]
) -> None:
    first = fleet.healthy_reader(WEB_CONCURRENCY=2)
    second = fleet.healthy_reader(WEB_CONCURRENCY=2)
    misses = {first: ["waited", "redis"], second: ["redis", "redis"]}
    for reader in (first, second):
        series = Series()
        with ExitStack() as stack:
            clients = connections(stack, reader, 2)
            before = settled(reader)
            assert before.requests(*CONTENT) == {}
            for client, miss in zip(clients, misses[reader], strict=True):
                series.run(client, miss=miss)
            # Those whose connections are all gone, one after the other, too.
            for number in range(20):
                series.expected["/orgs/{org}", "local", "200"] += 1
                assert reader.get("/orgs/Netflix", headers={"X-Request-Id": f"{number}"}).ok

            def shows(before: Scrape, reader: Reader, series: Series) -> Scrape | None:
                scrape = Scrape(reader)
                check_histogram(scrape)
                found = Counter(scrape.requests(*CONTENT, *HEALTH))
                found.subtract(before.requests(*HEALTH))
                return scrape if +found == series.expected else None

            scrape = eventually(partial(shows, before, reader, series), what="all is counted")
            check_labels(scrape)
            assert scrape.of("reader_processes") == {(): 2}
            assert scrape.of("connections")[()] >= 2
        # Nothing is counted twice, either.
        again = settled(reader)
        assert again.requests(*CONTENT) == scrape.requests(*CONTENT)

    check_fleet(github, workers, [first, second])
    tracked = {(name,): 1.0 for name in TRACKED}
    assert Scrape(first).of("resource_servable", "resource") == tracked
    items = {("/orgs/Netflix/members",): 130.0, ("/orgs/Netflix/repos",): 250.0}
    assert Scrape(second).of("resource_items", "resource") == items


def check_fleet(github: FakeGitHubProcess, workers: list[Running], readers: list[Reader]) -> None:
    """What refreshers did is the same from every reader, and what GitHub and the logs say."""
    credential = Token(TOKEN).id

    def refreshing_in(scrape: Scrape) -> tuple[object, ...]:
        counts = (
            ("origin_requests_total", "status"),
            ("points_used_total", "credential"),
            ("refreshes_total", "kind", "outcome"),
            ("origin_request_duration_seconds_count",),
        )
        return tuple(scrape.of(*count) for count in counts)

    def agree() -> tuple[object, ...] | None:
        seen = [refreshing_in(Scrape(reader)) for reader in readers]
        counters = github.counters()
        truth = (
            {(status,): number for status, number in counters["statuses"].items()},
            {(credential,): counters["points"]},
            outcomes_logged(workers),
            {(): counters["total"]},
        )
        return truth if seen == [truth] * len(readers) else None

    _, _, refreshes, _ = eventually(agree, what="readers, GitHub and logs agree")
    assert refreshes["tracked", "updated"] == 4
    assert refreshes["on-demand", "updated"] == 2
    assert set(refreshes) <= {
        (kind, outcome)
        for kind in ("tracked", "on-demand")
        for outcome in ("updated", "fresh", "busy", "held-back")
    }


def test_what_was_counted_outlives_a_process_that_is_killed(fleet: Fleet) -> None:
    reader = fleet.healthy_reader(WEB_CONCURRENCY=2)
    hit = ("/orgs/{org}", "local", "200")
    with ExitStack() as stack:
        for client in connections(stack, reader, 2):
            Series().ask(client, "/orgs/Netflix", hit, times=50)
        before = settled(reader).requests(*CONTENT)
        assert before == {hit: 100}
        victim = reader.processes()[0]
        victim.kill()
        victim.wait(60)
        until = time.monotonic() + 4  # while another one takes its place
        while time.monotonic() < until:
            assert Scrape(reader).requests(*CONTENT) == before
    eventually(lambda: Scrape(reader).of("reader_processes") == {(): 2}, what="there are two again")
    with ExitStack() as stack:
        for client in connections(stack, reader, 2):
            Series().ask(client, "/orgs/Netflix", hit, times=10)
    eventually(lambda: Scrape(reader).requests(*CONTENT) == {hit: 120})


def test_a_reload_loses_no_count(fleet: Fleet) -> None:
    reader = fleet.healthy_reader(WEB_CONCURRENCY=2)
    hit = ("/orgs/{org}", "local", "200")
    answered = 0
    with ExitStack() as stack:
        clients = connections(stack, reader, 2)
        before = {process.pid for process in reader.processes()}
        reader.signal(signal.SIGHUP)
        # To the very last answer, which announces the end of the connection.
        for client in clients:
            headers: dict[str, str] = {}
            while headers.get("connection") != "close":
                headers = client.ask("/orgs/Netflix").headers
                answered += 1
                time.sleep(0.005)
    eventually(
        lambda: not before & {process.pid for process in reader.processes()},
        what="all are replaced",
    )
    eventually(reader.is_healthy)
    scrape = settled(reader)
    assert scrape.requests(*CONTENT) == {hit: answered}
    assert scrape.of("reader_processes") == {(): 2}
    check_histogram(scrape)
