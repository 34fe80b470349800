"""Builders for the tests of the refresher: settings, responses, contents, clocks, contexts."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from redis import Redis
from requests.structures import CaseInsensitiveDict

from refresher.content.content import Content, of_list
from refresher.content.items import split
from refresher.content.list_items import ListItems, PageItems
from refresher.content.list_reader import ReadList
from refresher.content.narrowing import Findings
from refresher.content.page import Body, Page
from refresher.context import RefreshContext, RefreshPolicy
from refresher.github.auth.pool import credentials_of
from refresher.github.budget import Budget, BudgetLimiter, Share
from refresher.github.client import GitHubClient
from refresher.github.exchange import Exchange
from refresher.github.rate_limiter import RateLimiter
from refresher.github.response import GitHubResponse
from refresher.github.transport import Transport
from refresher.lock.large_list_limit import LargeListLimit
from refresher.lock.refresh_lock import HeldLock, RefreshLocks
from refresher.lock.start_conditions import StartConditions
from refresher.reporting.meter import Expenses, Meter
from refresher.reporting.reporter import Reporter
from refresher.storage.storage import Storage
from refresher.visibility.privileges import Privileges
from shared import settings as settings_of_process
from shared.clock import SYSTEM, Clock
from shared.redis import keys
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import MEMBERS as MEMBERS_KIND
from shared.resources.kinds import ORGANISATION, REPOSITORIES, Kind
from shared.resources.operations.shapes import FREE, Shape
from shared.resources.resource import Resource
from shared.settings import Settings

CREDENTIAL_ID = "0123456789ab"
TOKEN = "ghp_very_secret_0123456789"
JSON_TYPE = "application/json; charset=utf-8"
CATALOGUE = Catalogue(("Netflix",))
ORG, MEMBERS, REPOS = (
    CATALOGUE.of_kind(kind, "Netflix") for kind in (ORGANISATION, MEMBERS_KIND, REPOSITORIES)
)
# A list without views, whatever the table ranks.
UNRANKED = replace(MEMBERS_KIND, rankings=())
# A resource on demand that is always there in the stand-in's world.
USER_VIEW = Resource("/users/netflix")

# Properties are tried with the same examples in every run, so more of them would find nothing new.
property_test = hypothesis_settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])


class ManualClock:
    """Unix time that a test sets; `at_call` runs something when it is read the n-th time."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now
        self.calls = 0
        self._hooks: dict[int, Callable[[], object]] = {}

    def __call__(self) -> float:
        self.calls += 1
        hook = self._hooks.pop(self.calls, None)
        if hook is not None:
            hook()
        return self.now

    def at_call(self, number: int, hook: Callable[[], object]) -> None:
        """Run `hook` when the clock is read the n-th time from now on."""
        self._hooks[self.calls + number] = hook


def make_settings(github_url: str, **overrides: Any) -> Settings:
    """Settings for a stand-in GitHub, which a busy machine may hold up for long."""
    values: dict[str, Any] = {
        "redis_url": "redis://unused.invalid",
        "github_api_url": github_url,
        "origin_connect_timeout": 60,
        "origin_read_timeout": 60,
        "github_concurrency": 1,  # so that the order of requests is known
    }
    return settings_of_process.load(**values | overrides)


def at(now: Callable[[], float]) -> Clock:
    """The system's clock, except that it shows another time of day."""
    return replace(SYSTEM, now=now)


@contextmanager
def lease(
    resource: Resource, redis: Redis, *, lifetime: float, masters: Collection[Redis] = ()
) -> Iterator[HeldLock | None]:
    """Hold a resource's lock inside the block, with its mark; None if another one holds it."""
    locks = RefreshLocks(redis, lifetime=lifetime, clock=SYSTEM, masters=masters)
    with locks.take(resource) as held:
        if held is not None:
            with redis.pipeline() as pipeline:
                held.add_mark(pipeline)
                pipeline.execute()
        yield held


def make_budget(
    redis: Redis,
    settings: Settings,
    *,
    clock: Clock = SYSTEM,
    should_stop: Callable[[], bool] = lambda: False,
) -> Budget:
    """The budget as one refresher uses it; waiting lasts as long as the clock's sleep."""
    credentials = credentials_of(Transport(settings, clock=clock), redis, clock=clock)
    return Budget(
        redis,
        settings,
        credentials,
        clock=clock,
        new_id=lambda: uuid4().hex,
        should_stop=should_stop,
        wait=Event.wait if clock is SYSTEM else lambda _, seconds: clock.sleep(seconds),
    )


def make_limiter(redis: Redis, settings: Settings, share: Share = Share.TRACKED) -> BudgetLimiter:
    """The rate limiter of a refresh, of a budget of its own."""
    return make_budget(redis, settings).limiter(share)


def make_client(
    settings: Settings, rate_limiter: RateLimiter | None = None, *, clock: Clock = SYSTEM
) -> GitHubClient:
    """A client with connections of its own; close its `transport` at the end."""
    return GitHubClient(Transport(settings, clock=clock), rate_limiter, clock=clock)


def make_context(
    redis: Redis,
    settings: Settings,
    *,
    clock: Callable[[], float] | None = None,
    chance: float = 0.0,
    budgeted: bool = False,
    stopwatch: Callable[[], float] = SYSTEM.monotonic,
) -> RefreshContext:
    """Everything that a refresh needs; close `context.origin.transport` at the end.

    With a budget all credentials of the settings are used, as in a fleet; otherwise the first.
    Locks live by the stopwatch.
    """
    rate_limiter = make_limiter(redis, settings, Share.ON_DEMAND) if budgeted else None
    meter, expenses = Meter(redis, SYSTEM), Expenses()
    privileges = Privileges(redis, settings.privileged_credentials, clock=SYSTEM)

    def observe(exchange: Exchange) -> None:
        meter.observe(exchange)
        expenses.observe(exchange)
        privileges.observe(exchange)

    return RefreshContext(
        Storage.of(redis, settings),
        GitHubClient(
            Transport(settings, clock=SYSTEM), rate_limiter, observe=observe, clock=SYSTEM
        ),
        StartConditions(
            RefreshLocks(
                redis, lifetime=settings.lock_ttl, clock=replace(SYSTEM, monotonic=stopwatch)
            ),
            LargeListLimit(redis, 2),
        ),
        Reporter(redis, meter, expenses, SYSTEM, keep_s=600),
        privileges,
        RefreshPolicy.of(settings, chance=lambda: chance),
        at(clock or ManualClock()),
    )


def make_response(
    status: int = 200,
    body: bytes = b"{}",
    *,
    headers: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
) -> GitHubResponse:
    """A response of GitHub's; a header given as empty text is left out."""
    fields = {"Content-Type": JSON_TYPE} | dict(headers or {})
    present = {name: value for name, value in fields.items() if value}
    return GitHubResponse(
        "https://api.github.com/x", status, CaseInsensitiveDict(present), body, links or {}
    )


def make_exchange(status: int | None = 200, **known: Any) -> Exchange:
    """A request of 0.25 s with a credential; by default its id is `CREDENTIAL_ID`."""
    credential = Named(known.pop("credential", CREDENTIAL_ID), known.pop("is_anonymous", False))
    headers = CaseInsensitiveDict(known.pop("headers", {}))
    return Exchange(status, 0.25, credential, headers, **known)


@dataclass(frozen=True)
class Named:
    """A credential of which nothing matters but what it is called."""

    id: str
    is_anonymous: bool
    assumed_limit: int = 5000

    def authorization(self) -> str | None:
        """Nobody asks."""
        raise NotImplementedError

    def renew(self, refused: str | None) -> bool:  # noqa: ARG002
        """It cannot."""
        return False

    def excess(self, headers: Mapping[str, str]) -> list[str]:  # noqa: ARG002
        """It sees nothing private."""
        return []


# Lets every member of an object through.
ANYTHING = Shape({}, others=FREE)


def make_read(
    *items: Mapping[str, Any], kind: Kind = UNRANKED, include_private: bool = False
) -> ReadList:
    """A list of one page that holds these objects."""
    body = json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()
    page = Page("https://api.github.com/x?per_page=100", 'W/"1"', None, Body.of(body))
    split_items = split(body, ANYTHING, Findings(), kind=kind, private=include_private)
    return ReadList(ListItems([PageItems.of(split_items, kind)]), [page], Findings())


def make_list(*items: Mapping[str, Any], kind: Kind = UNRANKED) -> Content:
    """The content of an expanded list of these objects."""
    return of_list(make_read(*items, kind=kind), kind)


def make_repository(number: int, **members: Any) -> dict[str, Any]:
    """A repository object, as short as it can be."""
    return {"id": number, "full_name": f"Netflix/{number}", "private": False, **members}


def dump(redis: Redis, resource: Resource) -> Sequence[object]:
    """The stored entry and its pages, byte for byte, with their expiry.

    Not by DUMP: it writes the fields of one and the same hash in varying order.
    """
    stored = (keys.entry(resource), keys.pages(resource))
    return [part for key in stored for part in (redis.hgetall(key), redis.ttl(key))]
