"""Credentials that see more than public data are detected and named."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from redis import Redis
from requests.structures import CaseInsensitiveDict

from refresher.content.narrowing import Findings
from refresher.content.page import Body, Page
from refresher.content.privacy_marks import Mark
from refresher.errors import OriginError
from refresher.github.auth.app_installation import AppInstallation, installation_of
from refresher.github.auth.app_token_store import AppToken, AppTokenStore
from refresher.github.auth.credentials import ANONYMOUS, Credential, Token
from refresher.github.conditional import Identity
from refresher.github.exchange import Exchange
from refresher.github.request_headers import MEDIA_TYPE
from refresher.github.response import GitHubResponse
from refresher.github.transport import Transport
from refresher.reporting.meter import Meter
from refresher.visibility.askers import may_not_push
from refresher.visibility.privileges import Privileges, found_since, shown_by
from shared.clock import SYSTEM
from shared.outcomes import FailureKind
from shared.redis import keys
from shared.settings import PrivilegedCredentials
from tests.fakegithub.signing import APP_ID, INSTALLATION_ID, key_pair
from tests.refresher.workbench import ManualClock, at, make_settings

CLASSIC = Token("ghp_0123456789abcdef")
FINE_GRAINED = Token("github_pat_0123456789abcdef")
DAY = 24 * 3600


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def make(redis: Redis, clock: ManualClock) -> Callable[..., Privileges]:
    """Makes the knowledge of one process of the fleet."""

    def make(policy: PrivilegedCredentials = PrivilegedCredentials.WARN) -> Privileges:
        return Privileges(redis, policy, clock=at(clock))

    return make


@pytest.fixture
def privileges(make: Callable[..., Privileges]) -> Privileges:
    return make()


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "refresher")


def exchange(credential: Credential, scopes: str | None = None, status: int = 200) -> Exchange:
    """An exchange of a credential; its response names these scopes, or has no such field."""
    headers = {} if scopes is None else {"X-OAuth-Scopes": scopes}
    return Exchange(status, 0.1, credential, CaseInsensitiveDict(headers))


def answer_to(credential: Credential, **known: Any) -> GitHubResponse:
    return GitHubResponse(
        "https://api.github.com/x",
        200,
        CaseInsensitiveDict(),
        b"{}",
        {},
        credential=credential.id,
        is_anonymous=credential.is_anonymous,
        **known,
    )


def known_of(redis: Redis, credential: Credential) -> dict[str, float]:
    found = cast(dict[bytes, bytes], redis.hgetall(keys.privileges(credential.id)))
    return {name.decode(): float(at) for name, at in found.items()}


def app_with(redis: Redis, clock: ManualClock, permissions: dict[str, str]) -> AppInstallation:
    """An installation whose current token has these permissions."""
    settings = make_settings(
        "http://127.0.0.1:1",
        github_app_id=str(APP_ID),
        github_app_installation_id=INSTALLATION_ID,
        github_app_private_key=key_pair().private,
    )
    app = installation_of(Transport(settings, clock=SYSTEM), redis, clock=at(clock))
    assert app is not None
    token_store = AppTokenStore(redis, app.id, app._key)
    token_store.put(AppToken("ghs_0123456789", clock() + 3600, permissions), seconds=3600)
    app.authorization()
    return app


class TestWhatGitHubSays:
    def test_scopes_that_show_more_are_found(
        self, redis: Redis, privileges: Privileges, clock: ManualClock
    ) -> None:
        privileges.observe(exchange(CLASSIC, "repo, read:user, read:org"))
        privileges.check()
        assert known_of(redis, CLASSIC) == {
            "has the scope read:org": clock.now,
            "has the scope repo": clock.now,
        }
        assert 0 < redis.ttl(keys.privileges(CLASSIC.id)) <= DAY

    @pytest.mark.parametrize("scopes", [None, "", "read:user, user:email"])
    def test_scopes_that_show_nothing_are_not(
        self, redis: Redis, privileges: Privileges, scopes: str | None
    ) -> None:
        privileges.observe(exchange(CLASSIC, scopes))
        privileges.check()
        assert known_of(redis, CLASSIC) == {}

    def test_a_request_that_was_not_answered_says_nothing(
        self, redis: Redis, privileges: Privileges
    ) -> None:
        unanswered = Exchange(None, 0.1, CLASSIC, {"X-OAuth-Scopes": "repo"})
        privileges.observe(unanswered)
        privileges.check()
        assert known_of(redis, CLASSIC) == {}

    def test_permissions_of_an_app_that_show_more_are_found(
        self, redis: Redis, privileges: Privileges, clock: ManualClock
    ) -> None:
        app = app_with(redis, clock, {"metadata": "read", "members": "read", "contents": "write"})
        privileges.observe(exchange(app))
        privileges.check()
        assert set(known_of(redis, app)) == {
            "has the permission contents: write",
            "has the permission members: read",
        }

    def test_an_app_that_reads_metadata_alone_sees_nothing_more(
        self, redis: Redis, privileges: Privileges, clock: ManualClock
    ) -> None:
        app = app_with(redis, clock, {"metadata": "read"})
        privileges.observe(exchange(app))
        privileges.check()
        assert known_of(redis, app) == {}


class TestWhatAnswersShow:
    @pytest.mark.parametrize(
        ("findings", "shown"),
        [
            (Findings(), []),
            (Findings(dropped={"node_id", "owner.x"}), []),
            (Findings(dropped={"plan"}), ["sees an account's plan"]),
            (Findings(dropped={"owner.plan"}), ["sees an account's plan"]),
            (Findings(dropped={"billing_email"}), ["sees an organisation's billing"]),
            (Findings(may_push=True), ["may push to a repository"]),
            (Findings(marks=Mark.PRIVATE), ["sees what is private"]),
            (
                Findings(dropped={"plan", "private_gists", "total_private_repos"}, may_push=True),
                [
                    "may push to a repository",
                    "sees an account's plan",
                    "sees private counts of an account",
                ],
            ),
        ],
    )
    def test_is_told_in_words(self, findings: Findings, shown: list[str]) -> None:
        assert shown_by(findings) == shown

    def test_is_found_of_the_credential_that_it_was_shown_to(
        self, redis: Redis, privileges: Privileges
    ) -> None:
        privileges.note_findings(answer_to(FINE_GRAINED), Findings(may_push=True))
        privileges.check()
        assert set(known_of(redis, FINE_GRAINED)) == {"may push to a repository"}

    def test_proves_nothing_when_nobody_was_named(
        self, redis: Redis, privileges: Privileges
    ) -> None:
        privileges.note_findings(answer_to(ANONYMOUS), Findings(may_push=True))
        privileges.check()
        assert known_of(redis, ANONYMOUS) == {}


class TestTelling:
    def test_is_loud_once_for_the_whole_fleet(
        self,
        redis: Redis,
        make: Callable[..., Privileges],
        clock: ManualClock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        for one in (make(), make()):  # two processes
            one.observe(exchange(CLASSIC, "repo"))
            one.check()
            clock.now += 1
        (line,) = caplog.records
        assert line.levelname == "WARNING"
        assert line.getMessage() == (
            f"credential {CLASSIC.id} sees more than the public: has the scope repo: give "
            "refreshers a classic token without any scope, of an account that belongs to no "
            "organisation (README, Credentials)"
        )
        assert known_of(redis, CLASSIC) == {"has the scope repo": clock.now - 1}  # the last time

    def test_is_loud_again_when_something_else_is_found(
        self, privileges: Privileges, caplog: pytest.LogCaptureFixture
    ) -> None:
        for scopes in ("repo", "repo, admin:org"):
            privileges.observe(exchange(CLASSIC, scopes))
            privileges.check()
        assert len(caplog.records) == 2

    def test_never_holds_the_secret(
        self, redis: Redis, privileges: Privileges, caplog: pytest.LogCaptureFixture
    ) -> None:
        privileges.observe(exchange(CLASSIC, "repo"))
        privileges.check()
        assert CLASSIC.secret
        assert CLASSIC.secret not in caplog.text
        assert CLASSIC.secret not in f"{redis.keys()} {known_of(redis, CLASSIC)}"

    def test_says_nothing_when_nothing_was_found(
        self, redis: Redis, privileges: Privileges, caplog: pytest.LogCaptureFixture
    ) -> None:
        privileges.observe(exchange(CLASSIC, ""))
        privileges.check()
        assert caplog.records == []
        assert redis.keys() == []

    def test_ends_the_refresh_where_the_settings_refuse_such(
        self, redis: Redis, make: Callable[..., Privileges]
    ) -> None:
        refusing = make(PrivilegedCredentials.REFUSE)
        refusing.check()  # nothing was found yet
        refusing.observe(exchange(CLASSIC, "repo"))
        with pytest.raises(OriginError) as raised:
            refusing.check()
        assert raised.value.kind is FailureKind.UNAUTHORIZED
        assert raised.value.reason == (
            f"credential {CLASSIC.id} sees more than the public: has the scope repo "
            "(PRIVILEGED_CREDENTIALS=refuse)"
        )
        assert set(known_of(redis, CLASSIC)) == {"has the scope repo"}


class TestWhatWasFoundSince:
    def test_is_told_of_our_credentials_alone(
        self, redis: Redis, privileges: Privileges, clock: ManualClock
    ) -> None:
        privileges.observe(exchange(CLASSIC, "repo"))
        privileges.check()
        assert found_since(redis, [FINE_GRAINED, ANONYMOUS], 0) is None
        assert found_since(redis, [FINE_GRAINED, CLASSIC], clock.now) == (
            f"credential {CLASSIC.id} sees more than the public: has the scope repo"
        )

    def test_is_not_what_was_seen_before(
        self, redis: Redis, privileges: Privileges, clock: ManualClock
    ) -> None:
        privileges.observe(exchange(CLASSIC, "repo, admin:org"))
        privileges.check()
        began = clock.now + 1
        assert found_since(redis, [CLASSIC], began) is None
        clock.now += 2
        privileges.observe(exchange(CLASSIC, "repo"))
        privileges.check()
        assert found_since(redis, [CLASSIC], began) == (
            f"credential {CLASSIC.id} sees more than the public: has the scope repo"
        )


class TestCredentialsThatSeeNoMore:
    @pytest.fixture
    def github_says(self, redis: Redis) -> Callable[..., None]:
        """Stores in Redis what GitHub said about a credential, as refreshers do."""

        def tell(credential: Credential, scopes: str | None) -> None:
            meter = Meter(redis, SYSTEM)
            meter.observe(exchange(credential, scopes))
            meter.flush()

        return tell

    def test_are_classic_tokens_of_which_github_names_no_scope(
        self, privileges: Privileges, github_says: Callable[..., None]
    ) -> None:
        assert privileges.scopeless([CLASSIC]) == frozenset()  # nothing is known yet
        github_says(CLASSIC, "")
        assert privileges.scopeless([CLASSIC, FINE_GRAINED, ANONYMOUS]) == {CLASSIC.id}

    @pytest.mark.parametrize("scopes", [None, "repo", "read:user"])
    def test_are_none_of_which_github_names_a_scope_or_says_nothing(
        self, privileges: Privileges, github_says: Callable[..., None], scopes: str | None
    ) -> None:
        github_says(CLASSIC, scopes)
        assert privileges.scopeless([CLASSIC]) == frozenset()

    @pytest.mark.parametrize("secret", ["github_pat_11A", "ghs_0123456789", "anything-else"])
    def test_are_never_of_another_kind_whatever_the_field_says(
        self, privileges: Privileges, github_says: Callable[..., None], secret: str
    ) -> None:
        github_says(Token(secret), "")
        assert privileges.scopeless([Token(secret)]) == frozenset()

    @pytest.mark.parametrize("secret", ["ghp_0123456789", "gho_0123456789", "0a" * 20])
    def test_are_classic_tokens_of_every_form(
        self, privileges: Privileges, github_says: Callable[..., None], secret: str
    ) -> None:
        github_says(Token(secret), "")
        assert privileges.scopeless([Token(secret)]) == {Token(secret).id}

    def test_are_no_longer_so_once_an_answer_shows_otherwise(
        self, privileges: Privileges, github_says: Callable[..., None]
    ) -> None:
        github_says(CLASSIC, "")
        privileges.note_findings(answer_to(CLASSIC), Findings(may_push=True))
        privileges.check()
        assert privileges.scopeless([CLASSIC]) == frozenset()

    def test_do_not_see_members_if_they_are_an_app_without_that_permission(
        self,
        redis: Redis,
        privileges: Privileges,
        clock: ManualClock,
        github_says: Callable[..., None],
    ) -> None:
        github_says(CLASSIC, "")
        outside = app_with(redis, clock, {"metadata": "read", "contents": "read"})
        assert privileges.without_members([CLASSIC, outside]) == {CLASSIC.id, outside.id}
        inside = app_with(redis, clock, {"metadata": "read", "members": "read"})
        assert privileges.without_members([FINE_GRAINED, inside]) == frozenset()
        unknown = app_with(redis, clock, {})
        assert privileges.without_members([unknown]) == frozenset()

    @pytest.mark.parametrize(
        ("permissions", "is_confirmed"),
        [({"metadata": "read"}, True), ({"members": "read"}, False), ({}, False)],
    )
    def test_are_confirmed_by_the_permissions_of_an_app_s_token(
        self,
        redis: Redis,
        privileges: Privileges,
        clock: ManualClock,
        permissions: dict[str, str],
        is_confirmed: bool,
    ) -> None:
        app = app_with(redis, clock, permissions)
        response = replace(answer_to(CLASSIC), credential=app.id)
        assert privileges.confirms(response, [CLASSIC, app]) is is_confirmed

    @pytest.mark.parametrize(
        ("permissions", "may_not"),
        [
            ({"metadata": "read"}, True),
            ({"contents": "read"}, True),
            ({"contents": "write"}, False),
            ({}, False),
        ],
    )
    def test_do_not_see_drafts_if_they_are_an_app_that_reads_and_may_not_push(
        self, redis: Redis, clock: ManualClock, permissions: dict[str, str], may_not: bool
    ) -> None:
        app = app_with(redis, clock, permissions)
        given_to = Identity(MEDIA_TYPE, app.authorization()).fingerprint
        body = Body.of(b'{"permissions":{"push":false}}')
        page = Page("https://api.github.com/repos/x/y", None, None, body, given_to)
        assert may_not_push(page, [CLASSIC, app], MEDIA_TYPE) == ({app.id} if may_not else set())

    @pytest.mark.parametrize("scopes", ["", "repo", "read:user", None])
    def test_are_confirmed_by_no_scope_in_the_answer(
        self, privileges: Privileges, scopes: str | None
    ) -> None:
        headers = {} if scopes is None else {"X-OAuth-Scopes": scopes}
        response = replace(answer_to(CLASSIC), headers=headers)
        assert privileges.confirms(response, [CLASSIC]) is (scopes == "")
