"""What GitHub's answer is: the whole table of `decide`, and what follows from each outcome."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from refresher.errors import LedElsewhereError
from refresher.github.body import START, message_in
from refresher.github.refusal_words import Scope
from refresher.github.response_decision import Asked, decide, error_of, next_look
from refresher.github.response_outcomes import (
    Archive,
    CredentialRefused,
    Elsewhere,
    Failed,
    Limited,
    Moved,
    Negative,
    NotModified,
    NotReady,
    ResponseOutcome,
    Success,
)
from shared.outcomes import FailureKind
from shared.resources.media_types import PLAIN, MediaType
from tests.refresher.workbench import JSON_TYPE

NOW = 1_000_000.0
SPENT = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000030"}
BASE = "https://api.github.com"
RAW = MediaType("raw", "application/vnd.github.raw+json", is_json=False)
STATUS, NOT_JSON = FailureKind.STATUS, FailureKind.NOT_JSON

SAML = (
    "Resource protected by organization SAML enforcement. "
    "You must grant your Personal Access token access to this organization."
)
ALLOW_LIST = (
    "Although you appear to have the correct authorization credentials, the `abuse` organization "
    "has an IP allow list enabled, and your IP address is not permitted to access this resource."
)
TOO_LONG = (
    "The 'NixOS' organization forbids access via a fine-grained personal access tokens if the "
    "token's lifetime is greater than 90 days."
)
INTEGRATION = "Resource not accessible by integration"
FINE_GRAINED = "Resource not accessible by personal access token"
SUSPENDED = "This installation has been suspended"
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes."
ABUSE = "You have triggered an abuse detection mechanism. Please wait a few minutes."
TOO_MANY = "The history or contributor list is too large to list contributors via the API."


def outcome_of(
    status: int,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"{}",
    *,
    tracked: bool = False,
    anonymous: bool = True,
    media: MediaType = PLAIN,
    base: str = BASE,
) -> ResponseOutcome:
    """The outcome; a header given as empty text is left out."""
    fields = {"Content-Type": JSON_TYPE} | dict(headers or {})
    present = CaseInsensitiveDict({name: one for name, one in fields.items() if one})
    asked = Asked(f"{base}/repos/a/b", base, anonymous, tracked, media)
    return decide(status, present, body[:START], asked, now=NOW)


def said(message: str) -> bytes:
    """An error body as GitHub sends it."""
    return json.dumps({"message": message, "documentation_url": "https://docs"}).encode()


def failed(status: int, pause: float | None = None) -> Failed:
    """A failure by status."""
    return Failed(STATUS, f"GitHub answered {status}", pause)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {}, Success()),
        (200, SPENT, Success()),  # the last request of the hour
        (204, {"Content-Type": ""}, Success()),
        (304, {"Content-Type": ""}, NotModified()),
        (202, {}, NotReady(5.0)),
        (202, {"Retry-After": "7"}, NotReady(7.0, is_asked=True)),
        (202, {"Retry-After": "0"}, NotReady(1.0, is_asked=True)),
        (202, {"Retry-After": "86400"}, NotReady(60.0, is_asked=True)),
        (202, {"Retry-After": "soon"}, NotReady(5.0)),
        *[(status, {}, Negative()) for status in (400, 402, 403, 404, 405, 406, 409, 410, 411)],
        *[(status, {}, Negative()) for status in (412, 413, 414, 415, 416, 418, 422, 423, 451)],
        *[(status, {}, failed(status)) for status in (100, 201, 203, 205, 206, 300, 305, 399)],
        *[(status, {}, failed(status)) for status in (301, 302, 408, 421, 425)],
        *[(status, {}, failed(status)) for status in (500, 501, 502, 503, 504, 520, 599, 600)],
        (502, {"Content-Type": "text/html"}, failed(502)),
        (503, {"Retry-After": "120"}, failed(503, 120)),
        (503, SPENT, failed(503, 30)),
        (503, {"Retry-After": "9" * 17}, failed(503, 3600)),
        (403, {"X-RateLimit-Remaining": "12", "X-RateLimit-Reset": "1000030"}, Negative()),
        (403, {"X-RateLimit-Remaining": "0"}, Limited(is_secondary=False, pause=60)),
        (403, SPENT, Limited(is_secondary=False, pause=30)),
        (403, SPENT | {"X-RateLimit-Reset": "9" * 17}, Limited(is_secondary=False, pause=3600)),
        (403, {"retry-after": "7"}, Limited(is_secondary=True, pause=7)),
        (403, {"Retry-After": "7"} | SPENT, Limited(is_secondary=False, pause=7)),
        (403, {"Retry-After": "soon"} | SPENT, Limited(is_secondary=False, pause=30)),
        (403, {"Retry-After": "-5"}, Limited(is_secondary=True, pause=60)),
        (429, {}, Limited(is_secondary=True, pause=60)),
        (429, {"Content-Type": "text/html"}, Limited(is_secondary=True, pause=60)),
        (429, {"Retry-After": "²"}, Limited(is_secondary=True, pause=60)),
        (429, {"Retry-After": "86401"}, Limited(is_secondary=True, pause=3600)),
        (429, SPENT, Limited(is_secondary=False, pause=30)),
        (429, SPENT | {"X-RateLimit-Reset": "1³"}, Limited(is_secondary=False, pause=60)),
    ],
)
def test_status_and_headers_decide(
    status: int, headers: dict[str, str], expected: ResponseOutcome
) -> None:
    assert outcome_of(status, headers) == expected


@pytest.mark.parametrize(
    ("message", "headers", "with_token", "anonymous"),
    [
        (TOO_MANY, {}, Negative(), Negative()),
        ("Must have push access to view repository collaborators.", {}, Negative(), Negative()),
        (SAML, {}, CredentialRefused(Scope.OWNER, SAML), Negative()),
        ("?", {"X-GitHub-SSO": "required; url=x"}, CredentialRefused(Scope.OWNER, "?"), Negative()),
        ("?", {"X-GitHub-SSO": "partial-results; organizations=1"}, Negative(), Negative()),
        # Anyone may call an organisation `abuse`: that is no limit.
        (ALLOW_LIST, {}, CredentialRefused(Scope.OWNER, ALLOW_LIST), Negative()),
        (TOO_LONG, {}, CredentialRefused(Scope.OWNER, TOO_LONG), Negative()),
        (INTEGRATION, {}, CredentialRefused(Scope.OPERATION, INTEGRATION), Negative()),
        (FINE_GRAINED, {}, CredentialRefused(Scope.OPERATION, FINE_GRAINED), Negative()),
        (SUSPENDED, {}, CredentialRefused(Scope.EVERYWHERE, SUSPENDED), Negative()),
        (SECONDARY, {}, *[Limited(is_secondary=True, pause=60)] * 2),
        (ABUSE, {}, *[Limited(is_secondary=True, pause=60)] * 2),
        ("abuser, disabused", {}, Negative(), Negative()),
        (SAML, {"Retry-After": "9"}, *[Limited(is_secondary=True, pause=9)] * 2),
        (SAML, SPENT, *[Limited(is_secondary=False, pause=30)] * 2),
    ],
)
def test_the_words_of_a_403_tell_limits_refused_credentials_and_answers_apart(
    message: str, headers: dict[str, str], with_token: ResponseOutcome, anonymous: ResponseOutcome
) -> None:
    assert outcome_of(403, headers, said(message), anonymous=False) == with_token
    assert outcome_of(403, headers, said(message)) == anonymous


def test_a_401_refuses_the_credential_and_is_a_failure_without_one() -> None:
    refused = CredentialRefused(Scope.EVERYWHERE, "Bad credentials")
    assert outcome_of(401, body=said("Bad credentials"), anonymous=False) == refused
    alone = outcome_of(401, body=said("Requires authentication"))
    assert isinstance(alone, Failed)
    assert alone.kind is FailureKind.UNAUTHORIZED
    assert "TOKEN" not in alone.reason


@pytest.mark.parametrize("status", [202, 204, 400, 403, 404, 409, 422, 451])
def test_tracked_content_outlives_whatever_is_no_content(status: int) -> None:
    assert outcome_of(status, tracked=True) == failed(status)
    assert isinstance(error_of(outcome_of(status, tracked=True), status).kind, FailureKind)


def test_what_is_tracked_is_redirected_to_no_archive() -> None:
    location = {"Location": "https://codeload.github.com/a/b"}
    assert outcome_of(302, location, tracked=True) == Elsewhere()


@pytest.mark.parametrize(
    ("base", "status", "location", "expected"),
    [
        (BASE, 301, "/repositories/1", Moved(f"{BASE}/repositories/1", is_permanent=True)),
        (BASE, 302, f"{BASE}/x?y=1", Moved(f"{BASE}/x?y=1", is_permanent=False)),
        (BASE, 307, "c", Moved(f"{BASE}/repos/a/c", is_permanent=False)),
        (BASE, 308, "/x", Moved(f"{BASE}/x", is_permanent=True)),
        (BASE, 302, "http://api.github.com/x", Elsewhere()),
        (BASE, 302, "https://user@api.github.com/x", Elsewhere()),
        (BASE, 302, "https://objects.githubusercontent.com/x?token=1", Elsewhere()),
        (BASE, 302, "http://169.254.169.254/latest/meta-data/", Elsewhere()),
        (BASE, 302, "http://[::1", Elsewhere()),
        (BASE, 302, "javascript:alert(1)", Elsewhere()),
        (BASE, 302, "https://codeload.github.com/a/b?token=1#x", "https://codeload.github.com/a/b"),
        (BASE, 302, "https://CODELOAD.github.com/a/b", "https://CODELOAD.github.com/a/b"),
        (BASE, 302, "http://codeload.github.com/a/b", Elsewhere()),
        (BASE, 302, "https://me@codeload.github.com/a/b", Elsewhere()),
        (BASE, 302, "https://codeload.github.com/a\tb", "https://codeload.github.com/ab"),
        (BASE, 302, "https://codeload.github.com/ä", Elsewhere()),
        (BASE, 302, "https://codeload.github.com.example/a", Elsewhere()),
        (
            "https://api.a.ghe.com",
            302,
            "https://codeload.a.ghe.com/x",
            "https://codeload.a.ghe.com/x",
        ),
        (
            "https://g.test/api/v3",
            302,
            "https://codeload.g.test/a/b",
            "https://codeload.g.test/a/b",
        ),
        ("https://g.test/api/v3", 302, "https://g.test/codeload/a", "https://g.test/codeload/a"),
        (
            "https://g.test/api/v3",
            302,
            "https://g.test/_codeload/a?t=1",
            "https://g.test/_codeload/a",
        ),
        ("https://g.test/api/v3", 302, "https://g.test/login", Elsewhere()),
        ("https://g.test/api/v3", 302, "https://g.test/api/v30/x", Elsewhere()),
    ],
)
def test_a_redirect_is_followed_handed_on_or_refused_by_its_target(
    base: str, status: int, location: str, expected: ResponseOutcome | str
) -> None:
    wanted = Archive(expected) if isinstance(expected, str) else expected
    assert outcome_of(status, {"Location": location}, base=base) == wanted


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        ("application/json", True),
        ("Application/JSON ;charset=utf-8", True),
        ("application/vnd.github+json", True),
        ("application/vnd.github.v3+json; charset=utf-8", True),
        ("application/vnd.github.raw+json; charset=utf-8", False),
        ("", False),
        ("text/html", False),
        ("text/html; charset=json", False),
        ("application/jsonp", False),
        ("text/plain; x=+json", False),
    ],
)
def test_json_is_known_by_its_names(status: int, content_type: str, *, is_json: bool) -> None:
    found = outcome_of(status, {"Content-Type": content_type})
    assert isinstance(found, Success | Negative) is is_json
    assert is_json or (isinstance(found, Failed) and found.kind is NOT_JSON)


def test_a_file_is_content_of_its_own_type_and_its_errors_are_json() -> None:
    raw = {"Content-Type": "application/vnd.github.raw+json; charset=utf-8"}
    assert outcome_of(200, raw, b"no JSON", media=RAW) == Success()
    assert outcome_of(200, raw, b"", media=RAW) == Success()  # an empty file
    assert isinstance(outcome_of(200, {"Content-Type": "text/html"}, media=RAW), Failed)
    assert outcome_of(404, media=RAW) == Negative()
    assert isinstance(outcome_of(404, raw, b"no JSON", media=RAW), Failed)
    assert isinstance(outcome_of(200, body=b""), Failed)
    assert isinstance(outcome_of(404, body=b""), Failed)


@given(
    status=st.integers(100, 599),
    headers=st.dictionaries(
        st.sampled_from(
            ["Location", "Retry-After", "X-RateLimit-Remaining", "Content-Type", "X-GitHub-SSO"]
        ),
        st.text(max_size=30),
    ),
    body=st.binary(max_size=60) | st.text().map(said),
    tracked=st.booleans(),
    anonymous=st.booleans(),
)
def test_any_response_has_an_outcome_and_an_anonymous_one_blames_no_credential(
    status: int, headers: dict[str, str], body: bytes, *, tracked: bool, anonymous: bool
) -> None:
    found = outcome_of(status, headers, body, tracked=tracked, anonymous=anonymous)
    reason = error_of(found, status).reason
    assert reason.isprintable()
    assert len(reason) < 400
    assert not (anonymous and isinstance(found, CredentialRefused))
    assert not (tracked and isinstance(found, Negative | NotReady | Archive))


@pytest.mark.parametrize(
    ("found", "kind", "pause"),
    [
        (Limited(is_secondary=False, pause=0), FailureKind.RATE_LIMITED, 1.0),
        (Limited(is_secondary=True, pause=30), FailureKind.RATE_LIMITED, 30.0),
        (CredentialRefused(Scope.OWNER, SAML), FailureKind.UNAUTHORIZED, None),
        (Failed(NOT_JSON, "no JSON"), NOT_JSON, None),
        (failed(503, 9), STATUS, 9),
        (NotModified(), STATUS, None),
        (Moved("https://x", is_permanent=False), FailureKind.UNEXPECTED, None),
    ],
)
def test_an_answer_that_cannot_be_stored_is_an_error(
    found: ResponseOutcome, kind: FailureKind, pause: float | None
) -> None:
    error = error_of(found, 418)
    assert (error.kind, error.status, error.retry_after) == (kind, 418, pause)


def test_a_redirect_to_another_host_has_an_error_of_its_own_that_does_not_name_it() -> None:
    assert isinstance(error_of(Elsewhere(), 302), LedElsewhereError)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (said("Not Found"), "Not Found"),
        (b'\n{\n  "message" : "a \\"b\\"\\n\\u001b[31mc",\n', 'a "b" [31mc'),
        (b'{"message":"x","errors":' + b"[" * 9999, "x"),
        (said("x" * 999), "x" * 300),
        (b'{"errors":[{"message":"inner"}]}', ""),
        (b'{"message":7}', ""),
        (b'{"message":"\\ud800\\q"}', ""),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_github_s_message_is_one_short_printable_line(body: bytes, message: str) -> None:
    assert message_in(body) == message


def test_a_202_is_looked_at_again_for_a_bounded_time() -> None:
    waited, looks = 0.0, []
    while (pause := next_look(NotReady(5), waited=waited, patience=2)) is not None:
        looks.append(pause)
        waited += pause
    assert looks == [0.5, 1.0]
    assert next_look(NotReady(5), waited=0, patience=0) is None
    assert next_look(NotReady(1, is_asked=True), waited=0, patience=2) == 1
    assert next_look(NotReady(30, is_asked=True), waited=0, patience=2) is None
