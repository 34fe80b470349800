"""Has each thing of `HoldKind` hold something back, in a real Redis, as production does it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redis import Redis

from reader.fleet.heartbeats import report as report_reader
from reader.fleet.hold_facts import AT_ONCE
from reader.fleet.suspension import suspend
from reader.status.guesses import Guesses
from refresher.drift.doubts import Doubt, Doubts
from refresher.github.addresses import Place
from refresher.github.budget import Budget, Share
from refresher.lease import Lease
from shared import drift, refresh_report
from shared.drift import Drift, PutOff
from shared.holds import HoldKind
from shared.lost_deliveries import LookReport, SourceReport
from shared.marking import mark
from shared.outcomes import RefreshOutcome, Refusal
from shared.queue_order import Priority
from shared.queueing import QueueLimits, RefreshQueue, RefreshRequest
from shared.redis import keys
from shared.redis.withdrawals import withdraw
from shared.refresh_report import RefreshReport
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.suspicion import Suspicion
from tests.builders import (
    make_entry,
    make_failure,
    make_list_entry,
    make_settings,
    redis_fields,
    store_entry,
    store_failure,
)
from tests.reader.status.fleets import make_reader
from tests.refresher.workbench import TOKEN, make_budget

ORG, REPOS, SECRET = "/orgs/Netflix", "/orgs/Netflix/repos", "/repos/acme/secret"
WITHDRAWN, OWNER = "netflix/hystrix", "owner-of-secrets"
CATALOGUE = Catalogue(("Netflix",), track=(SECRET,))
# Of a reader that shows all kinds.
SETTINGS = {"orgs": "Netflix", "track": SECRET, "queue_max": 20}


def resource(name: str) -> Resource:
    """A tracked resource."""
    found = CATALOGUE.named(name)
    assert found is not None
    return found


def budget(redis: Redis, *, remaining: int | None = None, points: int = 440) -> Budget:
    """The budget of a refresher, which has sent one request."""
    settings = make_settings(
        github_api_token=TOKEN, origin_points_per_minute=points, redis_url="redis://unused.invalid"
    )
    made = make_budget(redis, settings)
    limiter = made.limiter(Share.ON_DEMAND)
    said = {
        "X-RateLimit-Limit": "5000",
        "X-RateLimit-Remaining": str(4000 if remaining is None else remaining),
        "X-RateLimit-Reset": str(int(time.time()) + 1000),
    }
    limiter.settle(limiter.reserve(), 200, said)
    return made


def note(redis: Redis, outcome: RefreshOutcome, rest: float) -> None:
    """Report a refresh of `REPOS`, after which it rests."""
    ended = RefreshReport(time.time(), REPOS, outcome, 40.0, requests=1)
    with redis.pipeline() as pipeline:
        refresh_report.note(pipeline, resource(REPOS), ended, keep_s=60, rest=rest)
        pipeline.execute()


def fail(redis: Redis) -> None:
    now = time.time()
    failure = make_failure(attempts=3, since=now - 60, at=now, retry_at=now + 30)
    store_failure(redis, resource(REPOS), failure)


def doubt(redis: Redis) -> None:
    suspicion = Suspicion(time.time(), 0, 245, 1, "GitHub shows 0 items where there were 245")
    redis.set(keys.suspicion(resource(REPOS)), suspicion.to_json())


def leave_alone(redis: Redis) -> None:
    """Another release has stored the entry: it has derived something else."""
    repos, now = resource(REPOS), time.time()
    entry = make_list_entry(
        3,
        validated_at=now,
        fresh_until=now + 900,
        form=repos.stored_form,
        derived={"of another release": 1},
    )
    pairs = redis_fields(entry).items()
    redis.hset(keys.entry(repos), items=[part for pair in pairs for part in pair])


def withhold(redis: Redis) -> None:
    now = time.time()
    entry = make_entry(b'{"message": "Not Found"}', status=404, changed_at=now - 60,
                       validated_at=now - 5, fresh_until=now + 900)  # fmt: skip
    store_entry(redis, resource(SECRET), entry)


def find_drift(redis: Redis) -> None:
    with redis.pipeline() as pipeline:
        drift.add(pipeline, Drift(time.time() - 5, REPOS, ("7",)))
        pipeline.execute()


def put_off_drift(redis: Redis) -> None:
    lease, now = Lease(redis, keys.DRIFT_TURN, "a-check"), time.time()
    assert not lease.take(120)
    assert lease.last(600, note=PutOff(now, now + 600).to_json())


def doubt_drift(redis: Redis) -> None:
    Doubts(redis).add(resource(REPOS), Doubt(REPOS, "/a-page", time.time(), []))


def not_listed(redis: Redis) -> None:
    now = time.time()
    source = SourceReport("Netflix", problem="GitHub answered 403", paused_until=now + 600)
    redis.set(keys.REDELIVERY_REPORT, LookReport(now, 300, (source,)).to_json())


def fill_queue(redis: Redis) -> None:
    queue = RefreshQueue(redis, QueueLimits(queued=100))
    for number in range(20):
        queue.ask(RefreshRequest(Resource(f"/users/u{number}"), Priority.MISSING))


def refuse_clients(redis: Redis) -> None:
    own = make_reader(at=time.time(), refused={Refusal.CLIENT_WAITS: 3})
    report_reader(redis, own, {})


def guess(redis: Redis) -> None:
    guesses = Guesses(time.time)
    for _ in range(AT_ONCE + 2):
        guesses.count(redis)


@dataclass(frozen=True)
class Cause:
    """What makes a hold.

    Args:
        begin: has it begin.
        about: what is held back, as whoever looks reads it.
        reason: a part of why.
        has_end: a time is set for its end.
        resource: whose `show` tells of it; empty for none.
        private: what only operators read of it.
    """

    begin: Callable[[Redis], object]
    about: str
    reason: str
    has_end: bool = True
    resource: str = ""
    private: str = ""


PLACE = Place(OWNER, "")
CAUSES: Mapping[HoldKind, Cause] = {
    HoldKind.PAUSED: Cause(
        lambda redis: suspend(redis, now=time.time()), "all refreshes",
        "an operator has paused", has_end=False, resource=ORG,
    ),
    HoldKind.ORIGIN_PAUSED: Cause(
        lambda redis: budget(redis).pause(600), "all requests to GitHub",
        "a secondary rate limit", resource=ORG,
    ),
    HoldKind.LIMIT_SPENT: Cause(
        lambda redis: budget(redis, remaining=0), "requests to GitHub with",
        "limit of 5000 requests an hour is used up",
    ),
    HoldKind.LIMIT_KEPT: Cause(
        lambda redis: budget(redis, remaining=1000), "requests on demand with",
        "the 1000 that are left are kept for tracked content",
    ),
    HoldKind.POINTS_SPENT: Cause(
        lambda redis: budget(redis, points=1), "requests for content on demand",
        "ORIGIN_POINTS_PER_MINUTE",
    ),
    HoldKind.CREDENTIAL_ASIDE: Cause(
        lambda redis: (made := budget(redis)).set_aside(made.credentials[0], "Bad credentials"),
        "credential ", "GitHub rejects it: Bad credentials",
    ),
    HoldKind.CREDENTIAL_REFUSED: Cause(
        lambda redis: (made := budget(redis)).refuse(made.credentials[0], PLACE, "SAML"),
        OWNER, "GitHub refuses it there: SAML", private=OWNER,
    ),
    HoldKind.FAILING: Cause(fail, REPOS, "GitHub answered 502 (3 times in a row)", resource=REPOS),
    HoldKind.DOUBTED: Cause(doubt, REPOS, "0 items where there were 245", resource=REPOS),
    HoldKind.RESTING: Cause(
        lambda redis: note(redis, RefreshOutcome.UPDATED, 60), REPOS, "it rests", resource=REPOS
    ),
    HoldKind.NO_LOCK: Cause(
        lambda redis: note(redis, RefreshOutcome.NO_LOCK, 10), REPOS, "REDLOCK_URLS",
        resource=REPOS,
    ),
    HoldKind.LOOKED_AT_AGAIN: Cause(
        lambda redis: mark(redis, resource(REPOS)), REPOS, "GitHub reported a change",
        resource=REPOS,
    ),
    HoldKind.LEFT_ALONE: Cause(leave_alone, REPOS, "another release", resource=REPOS),
    HoldKind.WITHDRAWN: Cause(
        lambda redis: withdraw(redis, [WITHDRAWN, "#2126"]), "repository",
        "private or deleted", private=WITHDRAWN,
    ),
    HoldKind.WITHHELD: Cause(
        withhold, "TRACK", "readable for everybody", resource=SECRET, private=SECRET
    ),
    HoldKind.DRIFT_DOUBTED: Cause(doubt_drift, REPOS, "may only be older", resource=REPOS),
    HoldKind.DRIFT_HEALED: Cause(
        find_drift, REPOS, "although GitHub had confirmed it", resource=REPOS
    ),
    HoldKind.DRIFT_PUT_OFF: Cause(put_off_drift, "comparisons of stored pages", "did not show"),
    HoldKind.DELIVERIES_UNLISTED: Cause(
        not_listed, "looks for lost deliveries of Netflix", "GitHub answered 403"
    ),
    HoldKind.QUEUE_FULL: Cause(
        fill_queue, "content on demand that is not held", "QUEUE_MAX", has_end=False
    ),
    HoldKind.CLIENTS_REFUSED: Cause(
        refuse_clients, "requests for content that is not held",
        "3 of the last minute got a 429", has_end=False,
    ),
    HoldKind.TOKENS_GUESSED: Cause(
        guess, "wrong ADMIN_TOKENs", "7 were sent", private="ADMIN_TOKENs"
    ),
}  # fmt: skip
