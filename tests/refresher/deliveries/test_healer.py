"""Lost deliveries are found at the stand-in GitHub, and asked for again, each a few times."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from redis import Redis

from refresher.deliveries import listing, lost
from refresher.deliveries.everything import Everything
from refresher.deliveries.healer import Healer, Surroundings
from refresher.deliveries.hook_api import HookApi, HookError
from refresher.deliveries.record import LostLeaseError, Record
from refresher.deliveries.sources import HookAddress, Source, sources_of
from refresher.github.transport import Transport
from shared import lost_deliveries
from shared.clock import SYSTEM
from shared.lost_deliveries import Fate, LookReport
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis import keys
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.signing import APP_ID, INSTALLATION_ID, app_entry, key_pair
from tests.redis_contents import held_in
from tests.refresher.workbench import CATALOGUE, REPOS, ManualClock, make_settings
from tests.waiting import eventually

TOKEN = "ghp_hooks_and_nothing_else"
NOWHERE = "http://127.0.0.1:1/webhooks/github"
HOOK = "/orgs/Netflix/hooks/7"
DELIVERIES = f"{HOOK}/deliveries?per_page=100"
VIEWERS = {
    TOKEN: {"role": "owner", "scopes": "admin:org_hook"},
    "ghp_other": {"role": "owner", "scopes": "repo"},
}
INTERVAL = 300.0


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A GitHub none of whose deliveries arrives."""
    hook = {"url": NOWHERE, "secret": "s", "lost": 1, "id": 7}
    with FakeGitHub(repos=3, members=1, hook=hook, viewers=VIEWERS, orgs=("Netflix",)) as github:
        yield github


class Bench:
    """A healer of one process, its clock, and what it counted."""

    def __init__(self, redis: Redis, github: FakeGitHub, **known: Any) -> None:
        self.redis = redis
        self.clock = ManualClock(SYSTEM.now())
        self.counted: dict[Fate, int] = {}
        self.waited: list[float] = []
        self.paused = False
        self.stopping: Callable[[], bool] = lambda: False
        token = known.pop("token", TOKEN)
        settings = make_settings(github.url, github_hook_token=token, **known)
        self.transport = Transport(settings, clock=SYSTEM)
        self.record = Record(redis, f"process-{id(self)}", lease=70)
        clock = replace(SYSTEM, now=self.clock)
        self.healer = Healer(
            self.record,
            {one: partial(self.api, one) for one in sources_of(settings, clock=clock)},
            HookAddress(settings),
            Everything(redis, CATALOGUE, RefreshQueue(redis, QueueLimits()), remember=60),
            interval=INTERVAL,
            surroundings=Surroundings(
                self.clock,
                self.waited.append,
                self.is_stopping,
                lambda: self.paused,
                self.count,
            ),
        )

    def api(self, source: Source) -> HookApi:
        return HookApi(self.transport, source.authorization, count=lambda _: None, clock=SYSTEM)

    def is_stopping(self) -> bool:
        return self.stopping()

    def count(self, fate: Fate, number: int) -> None:
        self.counted[fate] = self.counted.get(fate, 0) + number

    def look(self, *, later: float = INTERVAL, readers: bool = True) -> LookReport | None:
        """Look once, so many seconds after the last time."""
        self.clock.now += later
        self.redis.delete(keys.REDELIVERY, keys.READERS)
        if readers:
            self.redis.zadd(keys.READERS, {"reader": self.clock.now})
        self.healer.step()
        return self.report

    @property
    def report(self) -> LookReport | None:
        text: Any = self.redis.get(keys.REDELIVERY_REPORT)
        return lost_deliveries.parse(text)

    def number(self, fate: Fate) -> int:
        return self.counted.get(fate, 0)


@pytest.fixture
def bench(redis: Redis, github: FakeGitHub) -> Iterator[Bench]:
    made = Bench(redis, github)
    yield made
    made.transport.close()


def attempts(github: FakeGitHub, number: int) -> list[dict[str, Any]]:
    """All attempts, once there are so many."""
    eventually(lambda: len(github.deliveries()) >= number)
    found = github.deliveries()
    assert len(found) == number
    return found


def arrive(bench: Bench, github: FakeGitHub) -> None:
    """All deliveries arrive now, as readers remember it."""
    for one in github.deliveries():
        bench.redis.set(keys.delivery(one["guid"]), 1)


def test_a_lost_delivery_is_asked_for_again_and_healed_when_it_arrives(
    bench: Bench, github: FakeGitHub
) -> None:
    bench.look()
    github.mutate("star", repo=1, by=1)
    report = bench.look()
    first, again = reversed(attempts(github, 2))
    assert (again["guid"], again["redelivery"]) == (first["guid"], True)
    assert report is not None
    assert (report.hooks, report.waiting, report.sources[0].codes) == (1, 1, (502,))
    arrive(bench, github)
    report = bench.look()
    assert report is not None
    assert report.waiting == 0
    assert bench.counted == {Fate.LOST: 1, Fate.ASKED: 1, Fate.HEALED: 1, Fate.GIVEN_UP: 0}
    assert not bench.redis.exists(keys.lost_deliveries(HOOK))


def test_it_is_asked_for_a_few_times_and_then_given_up(bench: Bench, github: FakeGitHub) -> None:
    github.mutate("star", repo=1, by=1)
    for tries in range(lost.MOST_TRIES):
        bench.look(later=INTERVAL * 2**tries)
        attempts(github, 2 + tries)
    for _ in range(3):
        report = bench.look(later=INTERVAL * 32)
    assert report is not None
    assert (report.waiting, report.given_up) == (0, 1)
    attempts(github, 1 + lost.MOST_TRIES)
    assert bench.number(Fate.GIVEN_UP) == 1
    assert bench.number(Fate.LOST) == 1


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_one_that_github_refuses_to_send_again_is_given_up_and_others_are_asked_for(
    bench: Bench, github: FakeGitHub, status: int
) -> None:
    for _ in range(2):
        github.mutate("star", repo=1, by=1)
    github.fault("status", path="attempts$", method="POST", status=status, times=1)
    report = bench.look()
    assert report is not None
    assert (report.waiting, report.given_up) == (1, 1)
    attempts(github, 3)
    assert (bench.number(Fate.GIVEN_UP), bench.number(Fate.ASKED)) == (1, 1)


def test_an_error_of_githubs_gives_nothing_up(bench: Bench, github: FakeGitHub) -> None:
    github.mutate("star", repo=1, by=1)
    github.fault("status", path="attempts$", method="POST", status=502, times=1)
    bench.look()
    assert bench.number(Fate.GIVEN_UP) == 0
    bench.look(later=INTERVAL * 2)  # the try counts, and the next one comes after its pause
    attempts(github, 2)


def test_nothing_is_asked_for_between_two_tries(bench: Bench, github: FakeGitHub) -> None:
    github.mutate("star", repo=1, by=1)
    bench.look()
    attempts(github, 2)
    bench.look(later=1)
    bench.look(later=INTERVAL)
    attempts(github, 2)


def test_nothing_is_asked_for_while_no_reader_runs(bench: Bench, github: FakeGitHub) -> None:
    github.mutate("star", repo=1, by=1)
    report = bench.look(readers=False)
    assert report is not None
    assert report.waiting == 1
    attempts(github, 1)
    bench.look()
    attempts(github, 2)


def test_a_delivery_that_arrived_is_not_lost_whatever_github_says(
    bench: Bench, github: FakeGitHub
) -> None:
    github.mutate("star", repo=1, by=1)
    arrive(bench, github)
    bench.look()
    attempts(github, 1)
    assert bench.number(Fate.LOST) == 0


def test_two_requests_that_are_not_a_get_are_a_second_apart(
    bench: Bench, github: FakeGitHub
) -> None:
    for _ in range(3):
        github.mutate("star", repo=1, by=1)
    bench.look()
    attempts(github, 6)
    assert bench.waited == [1.0, 1.0]


def test_a_look_at_nothing_new_is_a_304(bench: Bench, github: FakeGitHub) -> None:
    bench.look()
    github.reset_counters()
    bench.look()
    assert github.counters()["statuses"] == {"200": 1, "304": 1}  # the webhooks, the deliveries
    assert github.counters()["points"] == 1


def test_only_one_process_looks_and_only_once_in_an_interval(
    redis: Redis, bench: Bench, github: FakeGitHub
) -> None:
    other = Bench(redis, github)
    github.mutate("star", repo=1, by=1)
    bench.look()
    github.reset_counters()
    other.healer.step()
    bench.healer.step()
    assert github.counters()["total"] == 0
    assert INTERVAL - 100 < redis.ttl(keys.REDELIVERY) <= INTERVAL
    other.transport.close()


def test_a_process_that_lost_its_lease_writes_nothing(redis: Redis, bench: Bench) -> None:
    assert bench.record.take()
    redis.set(keys.REDELIVERY, "another process")
    for step in (
        bench.record.keep,
        lambda: bench.record.rest(1),
        lambda: bench.record.write(HOOK, lost={"a": lost.Lost(1, 0, 502)}),
    ):
        with pytest.raises(LostLeaseError):
            step()
    assert not redis.exists(keys.lost_deliveries(HOOK))
    assert redis.get(keys.REDELIVERY) == b"another process"


def test_a_process_that_dies_after_it_counted_a_try_makes_none_too_many(
    redis: Redis, bench: Bench, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    github.mutate("star", repo=1, by=1)
    with monkeypatch.context() as patched:
        patched.setattr(HookApi, "post", die)
        with pytest.raises(KeyboardInterrupt):
            bench.look()
    heir = Bench(redis, github)
    heir.clock = bench.clock
    assert 0 < redis.ttl(keys.REDELIVERY) <= 70
    for tries in range(1, 9):
        bench.look(later=INTERVAL * 2**tries)
    attempts(github, lost.MOST_TRIES)  # the first attempt, and all tries but the one that died
    heir.transport.close()


def test_many_lost_deliveries_make_everything_stale_instead(
    redis: Redis, bench: Bench, github: FakeGitHub
) -> None:
    bench.look()
    for _ in range(lost.MOST_WAITING + 5):
        github.mutate("star", repo=1, by=1)
    report = bench.look()
    assert report is not None
    assert report.waiting == 0
    attempts(github, lost.MOST_WAITING + 5)
    assert bench.number(Fate.COVERED) == lost.MOST_WAITING + 5
    assert redis.exists(keys.invalidated_by(REPOS), keys.EVENTS) == 2
    redis.delete(keys.invalidated_by(REPOS))
    github.mutate("star", repo=1, by=1)
    bench.look()  # those before are done with; a later one is asked for
    attempts(github, lost.MOST_WAITING + 7)
    assert not redis.exists(keys.invalidated_by(REPOS))


def test_the_list_is_read_page_by_page_back_to_the_last_look(
    bench: Bench, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost, "MOST_WAITING", 1000)
    monkeypatch.setattr(lost, "due", lambda *_, **__: [])
    for _ in range(230):
        github.mutate("star", repo=1, by=1)
    report = bench.look()
    assert report is not None
    assert report.waiting == 230
    pages = [one for one in github.counters()["requests"] if "deliveries" in one]
    assert len(pages) == 3


@pytest.mark.parametrize("is_first", [True, False])
def test_a_list_that_does_not_reach_back_to_the_last_look_makes_everything_stale(
    redis: Redis,
    bench: Bench,
    github: FakeGitHub,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_first: bool,
) -> None:
    monkeypatch.setattr(listing, "MOST_PAGES", 1)
    if not is_first:
        bench.look()
    for _ in range(103):
        github.mutate("star", repo=1, by=1)
    arrive(bench, github)
    bench.look()
    assert redis.exists(keys.invalidated_by(REPOS)) == (not is_first)
    attempts(github, 103)


def test_github_s_absence_is_reported_and_nothing_is_missed(
    bench: Bench, github: FakeGitHub
) -> None:
    bench.look()
    github.fault("status", path="/hooks", status=502)
    github.mutate("star", repo=1, by=1)
    report = bench.look()
    assert report is not None
    assert [one.problem for one in report.problems] != []
    github.clear_faults()
    bench.look(later=3600)
    attempts(github, 2)


def test_a_limit_of_github_s_is_kept(redis: Redis, bench: Bench, github: FakeGitHub) -> None:
    github.fault("secondary", path="/hooks")
    first = bench.look()
    assert 30 < redis.ttl(keys.hook_pause("Netflix")) <= 60
    github.clear_faults()
    github.reset_counters()
    report = bench.look(later=1)
    assert github.counters()["total"] == 0
    assert report is not None
    assert first is not None
    ends = {one.paused_until for one in (*first.problems, *report.problems)}
    assert len(ends) == len(report.problems) == 1, "both say until when"
    assert min(ends) > 0


def test_an_operators_resume_ends_a_pause_that_github_asked_for(
    redis: Redis, bench: Bench, github: FakeGitHub
) -> None:
    github.mutate("star", repo=1, by=1)
    attempts(github, 1)
    github.fault("secondary", path="/hooks", retry_after=3600)
    bench.look()
    github.clear_faults()
    bench.look(later=1)
    attempts(github, 1)
    redis.set(keys.RESUMED, bench.clock.now)
    bench.look(later=1)
    attempts(github, 2)
    assert bench.report is not None
    assert list(bench.report.problems) == []


def test_the_last_tenth_of_the_limit_is_left_alone(bench: Bench, github: FakeGitHub) -> None:
    github.configure(token_limit=20, reset_limits=True)
    problems = []
    for _ in range(12):
        github.mutate("star", repo=1, by=1)
        report = bench.look()
        problems += [one.problem for one in report.problems] if report else []
    assert problems[0] == "most of the rate limit of its credential is used"
    assert set(problems[1:]) == {"GitHub asked for a pause"}
    assert github.counters()["points"] < 20


def test_a_token_without_the_right_is_a_problem_that_names_no_secret(
    redis: Redis, github: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(redis, github, token="ghp_other")
    report = bench.look()
    assert report is not None
    assert [one.problem for one in report.problems] == ["GitHub answered 404"]
    assert "Not Found" in caplog.text
    assert "ghp_other" not in caplog.text + report.to_json()
    bench.transport.close()


@pytest.mark.parametrize(
    ("known", "hooks"),
    [
        ({}, 1),
        ({"github_webhook_url": NOWHERE}, 1),
        ({"github_webhook_url": "http://127.0.0.1:2/webhooks/github"}, 0),
        ({"public_url": "http://127.0.0.1:1"}, 1),
        ({"public_url": "https://cache.example"}, 0),
    ],
)
def test_only_webhooks_that_lead_here_are_looked_at(
    redis: Redis, github: FakeGitHub, known: dict[str, str], hooks: int
) -> None:
    bench = Bench(redis, github, **known)
    report = bench.look()
    assert report is not None
    assert (report.hooks, list(report.problems)) == (hooks, [])
    bench.transport.close()


def test_the_app_asks_with_its_own_jwt(redis: Redis, github: FakeGitHub) -> None:
    hook = {"url": NOWHERE, "secret": "s", "lost": 1, "of": "app"}
    github.configure(hook=hook, apps=[app_entry()], tokens=[])
    known = {
        "github_app_id": str(APP_ID),
        "github_app_installation_id": INSTALLATION_ID,
        "github_app_private_key": key_pair().private,
    }
    bench = Bench(redis, github, token=None, **known)
    github.mutate("star", repo=1, by=1)
    report = bench.look(later=0)  # GitHub looks at the time in the JWT
    assert report is not None
    assert [one.name for one in report.sources] == [lost_deliveries.APP]
    assert (report.waiting, list(report.problems)) == (1, [])
    attempts(github, 2)
    assert github.installation_tokens() == []
    bench.transport.close()


def test_nothing_is_asked_without_a_credential_or_while_requests_are_paused(
    redis: Redis, bench: Bench, github: FakeGitHub
) -> None:
    without = Bench(redis, github, token=None)
    github.reset_counters()
    assert without.look() is None
    bench.paused = True
    assert bench.look() is None
    assert github.counters()["total"] == 0
    without.transport.close()


def test_a_process_that_shuts_down_leaves_the_look_to_another(
    redis: Redis, bench: Bench, github: FakeGitHub
) -> None:
    answers = iter([False, False, False])
    bench.stopping = lambda: next(answers, True)
    github.mutate("star", repo=1, by=1)
    assert bench.look() is None
    assert redis.pttl(keys.REDELIVERY) <= 1000
    attempts(github, 1)


def test_the_only_post_is_the_one_for_a_redelivery(bench: Bench, github: FakeGitHub) -> None:
    api = bench.api(next(iter(bench.healer._apis)))
    with pytest.raises(Exception, match="POST is not sent") as caught:
        api.post(f"{HOOK}/pings")
    assert not isinstance(caught.value, HookError)
    assert github.counters()["total"] == 0


def test_the_token_is_in_nothing_that_is_stored(
    redis: Redis, bench: Bench, github: FakeGitHub
) -> None:
    github.mutate("star", repo=1, by=1)
    bench.look()
    held = held_in(redis)
    assert keys.REDELIVERY.encode() in held
    assert TOKEN.encode() not in held
    assert NOWHERE.encode() not in held
