"""A GitHub App's token is requested once for the fleet, renewed in time, and never shown."""

import logging
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from socket import socket
from threading import Barrier
from typing import Any

import pytest
from redis import Redis

from refresher.content.page import Page
from refresher.errors import CredentialError
from refresher.github.auth.app_installation import (
    RENEW_BEFORE,
    AppInstallation,
    installation_of,
)
from refresher.github.auth.app_jwt import private_key_of
from refresher.github.auth.app_token_store import AppToken, AppTokenStore
from refresher.github.auth.credentials import Token
from refresher.github.auth.pool import credentials_of
from refresher.github.client import GitHubClient
from refresher.github.rate_limit_class import CORE
from refresher.github.transport import Transport
from shared.clock import SYSTEM
from shared.errors import SettingsError
from shared.outcomes import FailureKind
from shared.redis import keys
from shared.settings import Settings
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.signing import APP_ID, INSTALLATION_ID, app_entry, key_pair
from tests.redis_contents import held_in
from tests.refresher.github.raw_server import drip, raw_server, read_request
from tests.refresher.workbench import (
    TOKEN,
    ManualClock,
    at,
    make_client,
    make_limiter,
    make_settings,
)

TOKENS = "/access_tokens$"
BUDGET = keys.budget(f"app-{INSTALLATION_ID}", CORE)
MakeInstallation = Callable[..., AppInstallation]


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A GitHub that serves only the App."""
    with FakeGitHub(repos=250, members=1, apps=[app_entry()], tokens=[]) as github:
        yield github


def app_settings(github: FakeGitHub, **known: Any) -> Settings:
    return make_settings(
        github.url,
        **{
            "github_app_id": str(APP_ID),
            "github_app_installation_id": INSTALLATION_ID,
            "github_app_private_key": key_pair().private,
            **known,
        },
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(time.time())


@pytest.fixture
def installation(redis: Redis, github: FakeGitHub, clock: ManualClock) -> MakeInstallation:
    """Makes the installation as each refresher of a fleet has it."""

    def make(**known: Any) -> AppInstallation:
        found = installation_of(
            Transport(app_settings(github, **known), clock=SYSTEM), redis, clock=at(clock)
        )
        assert found is not None
        return found

    return make


@pytest.fixture
def later(github: FakeGitHub, clock: ManualClock) -> Callable[[float], None]:
    """Time passes, here and at GitHub."""

    def pass_by(seconds: float) -> None:
        clock.now += seconds
        github.configure(clock_skew=clock.now - time.time())

    return pass_by


@pytest.fixture
def origin(redis: Redis, github: FakeGitHub) -> Iterator[Callable[..., GitHubClient]]:
    made: list[GitHubClient] = []

    def make(**known: Any) -> GitHubClient:
        settings = app_settings(github, **known)
        made.append(make_client(settings, make_limiter(redis, settings)))
        return made[-1]

    yield make
    for one in made:
        one.transport.close()


def test_a_token_is_got_and_used(origin: Callable[..., GitHubClient], github: FakeGitHub) -> None:
    client = origin()
    assert client.get(client.url_of("/orgs/Netflix")).status == 200
    assert github.installation_tokens()


def test_the_whole_fleet_shares_one_token(
    installation: MakeInstallation, github: FakeGitHub
) -> None:
    fleet = [installation() for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        used = set(threads.map(lambda one: one.authorization(), fleet))
    assert len(used) == 1
    assert github.counters()["installation_tokens"] == 1


def authorized(one: AppInstallation, _: int = 0) -> str:
    """What is sent, or why there is nothing to send."""
    try:
        return one.authorization()
    except CredentialError as error:
        return error.reason


class TestThreads:
    """Fifty threads of a process share one installation."""

    def test_that_need_a_token_request_one(
        self, installation: MakeInstallation, github: FakeGitHub, redis: Redis
    ) -> None:
        github.fault("slow", path=TOKENS, method="POST", delay=0.5)
        one = installation()
        commands = int(redis.info("stats")["total_commands_processed"])
        with ThreadPoolExecutor(50) as threads:
            used = set(threads.map(partial(authorized, one), range(50)))
        assert len(used) == 1
        assert github.counters()["installation_tokens"] == 1
        # One thread asks Redis; the others do not poll.
        assert int(redis.info("stats")["total_commands_processed"]) - commands < 15

    def test_use_the_old_token_while_one_gets_the_next(
        self, installation: MakeInstallation, github: FakeGitHub, later: Callable[[float], None]
    ) -> None:
        one = installation()
        first = one.authorization()
        later(3600 - RENEW_BEFORE + 10)
        github.fault("hang", path=TOKENS, method="POST")
        with ThreadPoolExecutor(10) as threads:
            renewing = threads.submit(one.authorization)
            others = [threads.submit(one.authorization) for _ in range(9)]
            done, _ = wait([renewing, *others], timeout=5, return_when=FIRST_COMPLETED)
            assert {each.result() for each in done} == {first}
            github.clear_faults()

    def test_fail_together_if_there_is_no_token(
        self, installation: MakeInstallation, github: FakeGitHub
    ) -> None:
        github.fault("status", path=TOKENS, method="POST", status=500, delay=0.5)
        one, together = installation(), Barrier(10)

        def ask(_: int) -> str:
            together.wait(10)
            return authorized(one)

        with ThreadPoolExecutor(10) as threads:
            reasons = set(threads.map(ask, range(10)))
        assert reasons == {"no token for the GitHub App: GitHub answered 500 without one"}
        asked = [seen["path"] for seen in github.recent()]
        assert sum("access_tokens" in path for path in asked) == 1

    def test_do_not_discard_a_token_that_replaced_the_refused_one(
        self, installation: MakeInstallation, github: FakeGitHub
    ) -> None:
        one = installation()
        refused = one.authorization()
        one.renew(refused)
        second = one.authorization()
        one.renew(refused)  # a thread whose request had been sent with the first token
        assert one.authorization() == second != refused
        assert github.counters()["installation_tokens"] == 2


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 201 Created\r\nX-More: 1"])
def test_a_request_for_a_token_ends_at_the_deadline(redis: Redis, part: bytes) -> None:
    def behave(connection: socket, _: int) -> None:
        read_request(connection)
        connection.sendall(part)
        drip(connection, b"1" * 10_000)

    with raw_server(behave) as server:
        settings = make_settings(
            f"http://{server.address}",
            github_app_id=str(APP_ID),
            github_app_installation_id=INSTALLATION_ID,
            github_app_private_key=key_pair().private,
            origin_deadline=2,
        )
        one = installation_of(Transport(settings, clock=SYSTEM), redis, clock=SYSTEM)
        assert one is not None
        began = time.monotonic()
        with pytest.raises(CredentialError):
            one.authorization()
        assert 1.9 < time.monotonic() - began < 3


def test_a_token_is_renewed_before_it_ends_and_only_once(
    installation: MakeInstallation, github: FakeGitHub, later: Callable[[float], None]
) -> None:
    fleet = [installation() for _ in range(3)]
    first = {one.authorization() for one in fleet}
    later(3600 - RENEW_BEFORE - 5)
    assert {one.authorization() for one in fleet} == first
    later(10)
    second = {one.authorization() for one in fleet}
    assert len(second) == 1
    assert second != first
    assert github.counters()["installation_tokens"] == 2


def test_an_old_token_is_used_to_its_end_while_github_gives_no_new_one(
    installation: MakeInstallation,
    github: FakeGitHub,
    later: Callable[[float], None],
    redis: Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = installation().authorization()
    later(3600 - RENEW_BEFORE + 10)
    github.fault("status", path=TOKENS, method="POST", status=502)
    github.reset_counters()
    for _ in range(3):
        assert installation().authorization() == first
    assert github.counters()["total"] == 1, "requests do not try it again and again"
    (line,) = (one for one in caplog.messages if "the old token is used" in one)
    assert re.search(r"until it expires, in 2\d\d s; next try in 20 s$", line)
    assert 15_000 < redis.pttl(keys.app_renewal(f"app-{INSTALLATION_ID}")) <= 20_000
    redis.delete(keys.app_renewal(f"app-{INSTALLATION_ID}"))  # the time has passed
    later(RENEW_BEFORE - 20)
    with pytest.raises(CredentialError) as failed:
        installation().authorization()
    assert failed.value.seconds == 30
    github.clear_faults()
    assert installation().authorization() != first


def test_while_another_renews_it_the_old_token_is_used(
    installation: MakeInstallation, redis: Redis, later: Callable[[float], None], github: FakeGitHub
) -> None:
    first = installation().authorization()
    later(3600 - RENEW_BEFORE + 10)
    redis.set(keys.app_renewal(f"app-{INSTALLATION_ID}"), 1)
    assert installation().authorization() == first
    assert github.counters()["installation_tokens"] == 1


def test_without_any_token_one_waits_for_the_other_but_not_for_ever(
    redis: Redis, github: FakeGitHub, clock: ManualClock
) -> None:
    transport = Transport(app_settings(github, origin_read_timeout=1), clock=SYSTEM)
    key = private_key_of(transport.settings)
    assert key is not None
    token_store = AppTokenStore(redis, "app-678", key)
    assert token_store.claim_renewal(60)
    waits: list[float] = []
    one = AppInstallation(transport, key, token_store, clock=replace(at(clock), sleep=waits.append))
    with pytest.raises(CredentialError) as failed:
        one.authorization()
    assert 0.9 < sum(waits) < 1.2
    assert failed.value.kind is FailureKind.TIMEOUT

    def other_brings_it(_: float) -> None:
        token_store.put(AppToken("ghs_brought", clock.now + 3600), seconds=3600)

    one = AppInstallation(
        transport, key, token_store, clock=replace(at(clock), sleep=other_brings_it)
    )
    assert one.authorization() == "Bearer ghs_brought"
    assert github.counters()["installation_tokens"] == 0


def test_a_token_that_github_refuses_is_replaced_at_once(
    origin: Callable[..., GitHubClient], github: FakeGitHub
) -> None:
    client = origin()
    client.get(client.url_of("/orgs/Netflix"))
    github.configure(revoked=github.installation_tokens())
    assert client.get(client.url_of("/orgs/Netflix")).status == 200
    assert github.counters()["installation_tokens"] == 2


def test_a_new_token_has_what_is_left_of_the_same_budget(
    origin: Callable[..., GitHubClient], github: FakeGitHub, redis: Redis
) -> None:
    client = origin()
    for _ in range(3):
        client.get(client.url_of("/orgs/Netflix"))
    github.configure(revoked=github.installation_tokens())
    client.get(client.url_of("/orgs/Netflix"))
    assert redis.hget(BUDGET, "remaining") == b"4996"


def test_content_that_did_not_change_is_a_304_for_the_next_token(
    origin: Callable[..., GitHubClient], github: FakeGitHub
) -> None:
    client = origin()
    url = client.url_of("/orgs/Netflix")
    page = Page.of(client.get(url), url)
    github.configure(revoked=github.installation_tokens())
    assert client.get(url, page.validator).status == 304
    assert github.counters()["statuses"] == {"200": 1, "201": 2, "401": 1, "304": 1}


class TestTrouble:
    def test_a_key_that_github_does_not_know_says_so_and_requests_carry_none(
        self, origin: Callable[..., GitHubClient], caplog: pytest.LogCaptureFixture
    ) -> None:
        client = origin(github_app_private_key=key_pair(1).private)
        assert client.get(client.url_of("/orgs/Netflix")).is_anonymous
        reason = "no token (answered 401: A JSON web token could not be decoded)"
        assert f"set aside for 600 s: GitHub gives the GitHub App {reason}" in caplog.text

    def test_an_installation_that_is_gone_says_so_and_requests_carry_none(
        self, origin: Callable[..., GitHubClient], caplog: pytest.LogCaptureFixture
    ) -> None:
        client = origin(github_app_installation_id=4)
        assert client.get(client.url_of("/orgs/Netflix")).is_anonymous
        assert "answered 404" in caplog.text

    @pytest.mark.parametrize("kind", ["garbage", "empty", "html", "hang", "reset", "truncate"])
    def test_what_is_no_answer_is_no_token(
        self, origin: Callable[..., GitHubClient], github: FakeGitHub, kind: str
    ) -> None:
        github.fault(kind, path=TOKENS, method="POST")
        client = origin(origin_read_timeout=0.3)
        with pytest.raises(CredentialError) as failed:
            client.get(client.url_of("/orgs/Netflix"))
        assert failed.value.seconds == 30
        github.clear_faults()
        assert client.get(client.url_of("/orgs/Netflix")).status == 200

    def test_it_costs_nothing_of_the_budget(
        self, origin: Callable[..., GitHubClient], github: FakeGitHub, redis: Redis
    ) -> None:
        github.fault("status", path=TOKENS, method="POST", status=500)
        client = origin()
        with pytest.raises(CredentialError):
            client.get(client.url_of("/orgs/Netflix"))
        assert redis.hget(BUDGET, "remaining") == b"5000"
        assert redis.zcard(keys.IN_FLIGHT) == 0

    def test_beside_a_token_the_token_carries_on(
        self,
        origin: Callable[..., GitHubClient],
        github: FakeGitHub,
        redis: Redis,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        github.configure(tokens=[TOKEN])
        github.fault("status", path=TOKENS, method="POST", status=500)
        redis.hset(keys.budget(Token(TOKEN).id, CORE), mapping={"limit": 5000, "remaining": 9})
        redis.hset(keys.budget(Token(TOKEN).id, CORE), "reset", str(time.time() + 900))
        client = origin(github_api_token=TOKEN)
        with caplog.at_level(logging.ERROR, "refresher"):
            assert client.get(client.url_of("/orgs/Netflix")).status == 200
            assert client.get(client.url_of("/orgs/Netflix")).status == 200
        asked = [seen["path"] for seen in github.recent()]
        assert sum("access_tokens" in path for path in asked) == 1
        assert "is set aside for 30 s" in caplog.text

    def test_a_key_that_is_none_stops_the_process(self, redis: Redis, github: FakeGitHub) -> None:
        settings = app_settings(github, github_app_private_key="no key at all")
        with pytest.raises(SettingsError, match="GITHUB_APP_PRIVATE_KEY: must be an RSA"):
            credentials_of(Transport(settings, clock=SYSTEM), redis, clock=SYSTEM)


class TestSecrets:
    def test_no_token_and_no_key_is_to_be_read_in_redis_or_in_the_log(
        self,
        origin: Callable[..., GitHubClient],
        github: FakeGitHub,
        redis: Redis,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        with caplog.at_level(logging.DEBUG, "refresher"):
            client = origin()
            client.get(client.url_of("/orgs/Netflix"))
        (token,) = github.installation_tokens()
        held = held_in(redis)
        assert redis.exists(keys.app_token(f"app-{INSTALLATION_ID}"))
        for secret in (token[-30:], token[:30], "PRIVATE KEY"):
            assert secret.encode() not in held
            assert secret not in caplog.text

    def test_a_token_store_opens_for_its_own_key_only(
        self, installation: MakeInstallation, github: FakeGitHub, redis: Redis
    ) -> None:
        installation().authorization()
        name = f"app-{INSTALLATION_ID}"
        own, other = (
            private_key_of(app_settings(github, github_app_private_key=pair.private))
            for pair in (key_pair(), key_pair(1))
        )
        assert own is not None
        assert other is not None
        assert AppTokenStore(redis, name, own).get() is not None
        assert AppTokenStore(redis, name, other).get() is None

    def test_it_ends_with_the_token(self, installation: MakeInstallation, redis: Redis) -> None:
        installation().authorization()
        assert 3500 < redis.ttl(keys.app_token(f"app-{INSTALLATION_ID}")) < 3605

    def test_it_is_in_no_repr(self, installation: MakeInstallation) -> None:
        one = installation()
        one.authorization()
        assert "ghs_" not in f"{one!r} {vars(one)!r}"
