"""The stand-in GitHub issues tokens to installations of GitHub Apps, as GitHub does."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import jwt
import pytest

from tests.fakegithub import apps
from tests.fakegithub.api import ask
from tests.fakegithub.apps import App, Refused, requested_installation, signer
from tests.fakegithub.client import FakeGitHub, FakeGitHubError
from tests.fakegithub.http_messages import Request
from tests.fakegithub.installations import Installations
from tests.fakegithub.signing import (
    APP_ID,
    INSTALLATION_ID,
    app_entry,
    app_jwt,
    key_pair,
    signed,
)
from tests.http_client import Response
from tests.waiting import eventually

ORG = "/orgs/Netflix"
TOKENS = f"/app/installations/{INSTALLATION_ID}/access_tokens"
NOW = 1_800_000_000
CLAIMS = {"iat": NOW - 60, "exp": NOW + 540, "iss": str(APP_ID)}


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=5, members=3, apps=[app_entry()]) as server:
        yield server


def request_token(
    github: FakeGitHub, assertion: str | None = None, *, path: str = TOKENS, body: bytes = b""
) -> Response:
    """Request an installation's token, by default with a valid JWT."""
    return ask(github, path, method="POST", token=assertion or app_jwt(), body=body)


def new_token(github: FakeGitHub) -> str:
    return str(request_token(github).json["token"])


def post(authorization: str | None) -> Request:
    """A parsed request for a token."""
    headers = {"authorization": authorization} if authorization else {}
    return Request("POST", TOKENS, headers, ())


def verify(claims: dict[str, Any], *, app_id: int | str = APP_ID) -> App | Refused:
    """The result at NOW for a JWT with these claims; None removes a claim."""
    kept = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    app = App(**app_entry(app_id))
    return signer(post(f"Bearer {signed(kept)}"), [app], now=NOW)


class TestJWT:
    """The rules for the JWT that an App signs."""

    @pytest.mark.parametrize(
        ("app_id", "issuer"),
        [(12345, 12345), (12345, "12345"), ("12345", 12345), ("Iv23liAbC", "Iv23liAbC")],
    )
    def test_names_its_app_by_number_or_client_id(
        self, app_id: int | str, issuer: int | str
    ) -> None:
        assert verify({"iss": issuer}, app_id=app_id) == App(**app_entry(app_id))

    @pytest.mark.parametrize(
        "claims",
        [{}, {"iat": NOW + 60}, {"exp": NOW + 1}, {"exp": NOW + 600}, {"exp": NOW + 0.5}],
    )
    def test_is_valid_for_ten_minutes_even_from_a_fast_clock(self, claims: dict[str, Any]) -> None:
        assert isinstance(verify(claims), App)

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"iss": None}, apps.NO_ISSUER),
            ({"iss": "Iv23liXyZ"}, apps.BAD_ISSUER),
            ({"iss": ""}, apps.BAD_ISSUER),
            ({"iss": 54321}, apps.NOT_DECODED),
            ({"iat": None}, apps.BAD_ISSUED_AT),
            ({"iat": str(NOW)}, apps.BAD_ISSUED_AT),
            ({"iat": NOW + 61}, apps.BAD_ISSUED_AT),
            ({"exp": None}, apps.NO_EXPIRATION),
            ({"exp": "soon"}, apps.BAD_EXPIRATION),
            ({"exp": NOW}, apps.BAD_EXPIRATION),
            ({"exp": NOW + 601}, apps.LATE_EXPIRATION),
        ],
    )
    def test_is_refused_for_a_wrong_claim(self, claims: dict[str, Any], reason: str) -> None:
        assert verify(claims) == Refused(reason)

    @pytest.mark.parametrize(
        "authorization",
        [
            lambda: None,
            lambda: "Bearer",
            lambda: "Bearer ghp_token",
            lambda: "Bearer a.b.c",
            lambda: f"token {signed(CLAIMS)}",
            lambda: f"Bearer {signed(CLAIMS, key_pair(1))}",
            lambda: f"Bearer {signed(CLAIMS)[:-8]}AAAAAAAA",
            lambda: f"Bearer {jwt.encode(CLAIMS, 'x' * 32, 'HS256')}",
            lambda: f"Bearer {jwt.encode(CLAIMS, '', 'none')}",
            lambda: f"Bearer {jwt.encode(CLAIMS, key_pair().private, 'RS512')}",
        ],
        ids=[
            "none", "empty", "no JWT", "garbage", "wrong scheme", "another key", "forged",
            "HS256", "unsigned", "RS512",
        ],
    )  # fmt: skip
    def test_is_refused_without_the_apps_signature(
        self, authorization: Callable[[], str | None]
    ) -> None:
        found = signer(post(authorization()), [App(**app_entry())], now=NOW)
        assert found == Refused("A JSON web token could not be decoded")

    @pytest.mark.parametrize(
        ("method", "target", "installation"),
        [
            ("POST", "/app/installations/7/access_tokens", 7),
            ("POST", "/app/installations/7/access_tokens?x=y", 7),
            ("GET", "/app/installations/7/access_tokens", None),
            ("POST", "/app/installations/7/access_tokens/", None),
            ("POST", "/app/installations/x/access_tokens", None),
            ("POST", "/orgs/Netflix", None),
        ],
    )
    def test_is_for_one_endpoint_only(
        self, method: str, target: str, installation: int | None
    ) -> None:
        assert requested_installation(Request(method, target, {}, ())) == installation


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"permissions":{"metadata":"read"},"repositories":["Hystrix"]}']
)
def test_a_token_is_given_with_its_end_whatever_the_body_asks_for(
    github: FakeGitHub, body: bytes
) -> None:
    before = time.time()
    response = request_token(github, body=body)
    given = response.json
    assert response.status == 201
    assert given == {
        "token": given["token"],
        "expires_at": given["expires_at"],
        "permissions": {"contents": "read", "members": "read", "metadata": "read"},
        "repository_selection": "all",
    }
    assert given["token"].startswith(f"ghs_{APP_ID}_")
    assert len(given["token"]) > 500  # as GitHub's are from 2026 on
    assert given["expires_at"].endswith("Z")
    ends = datetime.fromisoformat(given["expires_at"]).timestamp()
    assert before + 3600 <= ends <= time.time() + 3601


def test_a_body_that_is_no_json_is_refused(github: FakeGitHub) -> None:
    response = request_token(github, body=b"permissions=all")
    assert (response.status, response.json["message"]) == (400, "Problems parsing JSON")


def test_a_client_without_content_length_has_no_body(github: FakeGitHub) -> None:
    assert ask(github, TOKENS, method="POST", token=app_jwt()).status == 201


def test_nobody_but_the_app_gets_a_token(github: FakeGitHub) -> None:
    late = "'Expiration time' claim ('exp') is too far in the future"
    for assertion, message in [
        ("t", "A JSON web token could not be decoded"),
        (app_jwt(pair=key_pair(1)), "A JSON web token could not be decoded"),
        (app_jwt(lifetime=700), late),
    ]:
        refused = request_token(github, assertion)
        assert refused.status == 401
        assert refused.json == {
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": "401",
        }
        assert refused.headers["x-ratelimit-limit"] == "60"
    assert ask(github, TOKENS, method="POST").status == 401
    assert github.counters()["installation_tokens"] == 0


def test_no_token_of_an_installation_that_is_not_the_apps(github: FakeGitHub) -> None:
    other = app_entry(777, 888, public_key=key_pair(1).public)
    github.configure(apps=[app_entry(), other])
    for number in (1, 888):
        path = f"/app/installations/{number}/access_tokens"
        response = request_token(github, path=path)
        assert (response.status, response.json["message"]) == (404, "Not Found")
    assert ask(github, TOKENS, token=app_jwt()).status == 404
    assert github.counters()["installation_tokens"] == 0


def test_times_are_judged_by_the_servers_clock(github: FakeGitHub) -> None:
    github.configure(clock_skew=-3600)
    refused = request_token(github)
    assert refused.json["message"] == apps.BAD_ISSUED_AT
    github.configure(clock_skew=3600)
    assert request_token(github).json["message"] == apps.BAD_EXPIRATION


def test_a_given_token_is_a_token_like_any_other(github: FakeGitHub) -> None:
    github.mutate("make_private", repo=0)
    token = new_token(github)
    for tokens in (None, [], ["another"]):
        github.configure(tokens=tokens)
        assert ask(github, ORG, token=token).headers["x-ratelimit-limit"] == "5000"
        listed = ask(github, f"{ORG}/repos", {"Authorization": f"token {token}"}).json
        assert listed == github.repos(private=True, role="member")
    assert ask(github, ORG, token="any").status == 401


def test_a_token_ends_at_its_end_by_the_servers_clock(github: FakeGitHub) -> None:
    token = new_token(github)
    github.configure(clock_skew=3500)
    assert ask(github, ORG, token=token).status == 200
    github.configure(clock_skew=3602)
    refused = ask(github, ORG, token=token)
    assert (refused.status, refused.json["message"]) == (401, "Bad credentials")


def test_a_short_life_is_a_whole_number_of_seconds_at_least_as_long() -> None:
    app = App(**app_entry(token_seconds=0.5))
    issued = Installations().issue(app, now=1000.2)
    assert (issued.expires_at, issued.as_json()["expires_at"]) == (1001, "1970-01-01T00:16:41Z")


def test_a_token_that_is_revoked_ends_early_and_the_next_one_is_good(github: FakeGitHub) -> None:
    old = [new_token(github), new_token(github)]
    assert github.installation_tokens() == old
    github.configure(revoked=github.installation_tokens())
    assert [ask(github, ORG, token=token).status for token in old] == [401, 401]
    assert ask(github, ORG, token=new_token(github)).status == 200


def test_tokens_of_an_uninstalled_app_are_invalid(github: FakeGitHub) -> None:
    token = new_token(github)
    github.configure(apps=[app_entry(installation_id=1)])
    assert ask(github, ORG, token=token).status == 401
    assert request_token(github).status == 404


def test_all_tokens_of_an_installation_share_one_budget(github: FakeGitHub) -> None:
    github.configure(token_limit=3, apps=[app_entry(), app_entry(installation_id=9)])
    one, two = new_token(github), new_token(github)
    left = [
        ask(github, ORG, token=token).headers["x-ratelimit-remaining"] for token in (one, two, one)
    ]
    assert left == ["2", "1", "0"]
    refused = ask(github, ORG, token=two)
    assert refused.status == 403
    assert refused.json["message"].startswith(
        f"API rate limit exceeded for installation ID {INSTALLATION_ID}."
    )
    assert ask(github, "/rate_limit", token=one).json["rate"]["remaining"] == 0
    # A new token brings no new budget; another installation has its own.
    assert ask(github, ORG, token=new_token(github)).status == 403
    other = request_token(github, path="/app/installations/9/access_tokens").json["token"]
    assert ask(github, ORG, token=other).headers["x-ratelimit-remaining"] == "2"


def test_asking_for_a_token_costs_an_installation_nothing(github: FakeGitHub) -> None:
    github.configure(token_limit=1)
    response = [request_token(github) for _ in range(3)][-1]
    assert response.headers["x-ratelimit-remaining"] == "1"
    assert response.headers["x-ratelimit-resource"] == "core"
    assert github.counters()["points"] == 0
    token = response.json["token"]
    assert ask(github, ORG, token=token).headers["x-ratelimit-remaining"] == "0"


def test_tokens_are_counted_and_are_not_in_the_counters(github: FakeGitHub) -> None:
    token = new_token(github)
    new_token(github)
    ask(github, ORG, token=token)
    counters = github.counters()
    assert counters["installation_tokens"] == 2
    assert counters["requests"] == {f"POST {TOKENS}": 2, f"GET {ORG}": 1}
    assert counters["credentials"] == {
        f"app-{APP_ID}": 2,
        f"installation-{INSTALLATION_ID}": 1,
    }
    assert token not in str(counters)
    github.reset_counters()
    assert github.counters()["installation_tokens"] == 0


def test_a_fault_may_be_for_it_alone(github: FakeGitHub) -> None:
    there = {"path": "/access_tokens$", "times": 1}
    for kind, status in [("status", 500), ("html", 502), ("ratelimited", 403), ("secondary", 429)]:
        github.fault(kind, **there)
        assert ask(github, ORG).status == 200
        assert request_token(github).status == status
    github.fault("hang", **there)
    with pytest.raises(TimeoutError):
        ask(github, TOKENS, method="POST", token=app_jwt(), timeout=0.1)
    eventually(lambda: "hang" in github.counters()["faults"])
    github.fault("garbage", **there)
    with pytest.raises(json.JSONDecodeError):
        _ = request_token(github).json
    assert request_token(github).status == 201


@pytest.mark.parametrize(
    "wrong", [{"public_key": None}, {"public_key": "no PEM"}, {"private_key": "x"}]
)
def test_an_invalid_app_is_refused(github: FakeGitHub, wrong: dict[str, Any]) -> None:
    entry = {name: value for name, value in app_entry(**wrong).items() if value is not None}
    with pytest.raises(FakeGitHubError):
        github.configure(apps=[entry])
