"""A response is content, a negative response, a failure, or a refusal of the request."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from refresher.errors import OriginError
from refresher.github.response_check import Refusal, check, refusal_in
from shared.outcomes import FailureKind
from tests.refresher.workbench import make_response

NOW = 1_000_000.0
SPENT = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000030"}


def refusal(
    status: int,
    headers: Mapping[str, str] | None = None,
    *,
    tracked: bool = True,
    body: bytes = b"{}",
) -> tuple[FailureKind, int | None, float | None] | None:
    """Kind, status and asked pause of a refused response; None when it passes."""
    try:
        check(make_response(status, body, headers=headers), tracked=tracked, now=NOW)
    except OriginError as error:
        return error.kind, error.status, error.retry_after
    return None


@pytest.mark.parametrize("tracked", [True, False])
def test_a_200_passes(*, tracked: bool) -> None:
    assert refusal(200, tracked=tracked) is None


@pytest.mark.parametrize("status", [404, 409, 410, 422, 451])
def test_answers_about_the_thing_itself_are_content_on_demand_only(status: int) -> None:
    assert refusal(status, tracked=False) is None
    assert refusal(status, tracked=True) == (FailureKind.STATUS, status, None)


def test_no_content_is_content_on_demand_only() -> None:
    headers = {"Content-Type": ""}
    assert refusal(204, headers, tracked=False, body=b"") is None
    assert refusal(204, headers, tracked=True, body=b"") == (FailureKind.STATUS, 204, None)


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(
    ("status", "headers", "kind", "retry_after"),
    [
        (201, {}, FailureKind.STATUS, None),
        (202, {}, FailureKind.STATUS, None),
        (206, {}, FailureKind.STATUS, None),
        (301, {}, FailureKind.STATUS, None),
        (304, {}, FailureKind.STATUS, None),
        (400, {}, FailureKind.STATUS, None),
        (401, {}, FailureKind.UNAUTHORIZED, None),
        (403, {}, FailureKind.STATUS, None),
        (403, {"X-RateLimit-Remaining": "12", "X-RateLimit-Reset": "1000030"}, "status", None),
        (403, {"X-RateLimit-Remaining": "0"}, FailureKind.STATUS, None),
        (403, SPENT, FailureKind.RATE_LIMITED, 30),
        (403, {"Retry-After": "7"}, FailureKind.RATE_LIMITED, 7),
        (403, {"Retry-After": "7"} | SPENT, FailureKind.RATE_LIMITED, 7),
        (403, {"Retry-After": "soon"} | SPENT, FailureKind.RATE_LIMITED, 30),
        (403, {"Retry-After": "-5"}, FailureKind.STATUS, None),
        (429, {}, FailureKind.RATE_LIMITED, 60),
        (429, {"Retry-After": "3600"}, FailureKind.RATE_LIMITED, 3600),
        (429, {"Retry-After": "86400"}, FailureKind.RATE_LIMITED, 3600),
        (429, {"Retry-After": "86401"}, FailureKind.RATE_LIMITED, 3600),
        (503, {"Retry-After": "9" * 17}, FailureKind.STATUS, 3600),
        (403, SPENT | {"X-RateLimit-Reset": "9" * 17}, FailureKind.RATE_LIMITED, 3600),
        (429, {"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "1000030"}, "rate-limited", 60),
        (429, SPENT, FailureKind.RATE_LIMITED, 30),
        (429, SPENT | {"X-RateLimit-Reset": "soon"}, FailureKind.RATE_LIMITED, 60),
        (500, {}, FailureKind.STATUS, None),
        (502, {"Content-Type": "text/html"}, FailureKind.STATUS, None),
        (503, {"Retry-After": "120"}, FailureKind.STATUS, 120),
        (503, SPENT, FailureKind.STATUS, 30),
    ],
)
def test_any_other_answer_is_a_failure(
    status: int, headers: dict[str, str], kind: str, retry_after: float | None, *, tracked: bool
) -> None:
    assert refusal(status, headers, tracked=tracked) == (kind, status, retry_after)


def test_header_names_ignore_case() -> None:
    assert refusal(403, {"retry-after": "9"}) == (FailureKind.RATE_LIMITED, 403, 9)


def test_a_spent_budget_spoils_no_content() -> None:
    assert refusal(200, SPENT) is None


@pytest.mark.parametrize(
    "headers", [{"Retry-After": "0"}, SPENT | {"X-RateLimit-Reset": "1000000"}]
)
def test_a_limit_that_is_over_is_waited_for_a_second(headers: dict[str, str]) -> None:
    assert refusal(429, headers) == (FailureKind.RATE_LIMITED, 429, 1)


@pytest.mark.parametrize("headers", [{"Retry-After": "²"}, SPENT | {"X-RateLimit-Reset": "1³"}])
def test_a_pause_that_is_no_number_is_ignored(headers: dict[str, str]) -> None:
    assert refusal(429, headers) == (FailureKind.RATE_LIMITED, 429, 60)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON ;charset=utf-8",
        "application/vnd.github+json",
        "application/vnd.github.v3+json; charset=utf-8",
    ],
)
def test_json_by_any_of_its_names_passes(content_type: str) -> None:
    assert refusal(200, {"Content-Type": content_type}) is None


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    "content_type",
    ["", "text/html", "text/html; charset=json", "application/jsonp", "text/plain; x=+json"],
)
def test_anything_else_is_not_json(content_type: str, status: int) -> None:
    found = refusal(status, {"Content-Type": content_type}, tracked=False)
    assert found == (FailureKind.NOT_JSON, status, None)


@pytest.mark.parametrize("status", [200, 404])
def test_nothing_is_not_json(status: int) -> None:
    assert refusal(status, tracked=False, body=b"") == (FailureKind.NOT_JSON, status, None)


def test_the_reason_is_one_line_whatever_github_sends() -> None:
    with pytest.raises(OriginError) as refused:
        check(
            make_response(headers={"Content-Type": "text/\n\x1b[31m" + "x" * 500}),
            tracked=True,
            now=NOW,
        )
    assert refused.value.reason.isprintable()
    assert len(refused.value.reason) < 120


def test_a_refused_token_is_named_by_its_setting() -> None:
    with pytest.raises(OriginError, match="GITHUB_API_TOKEN"):
        check(replace(make_response(401), is_anonymous=False), tracked=True, now=NOW)


def test_without_a_credential_no_token_is_blamed() -> None:
    with pytest.raises(OriginError, match="without a credential") as refused:
        check(make_response(401), tracked=True, now=NOW)
    assert "TOKEN" not in refused.value.reason


@pytest.mark.parametrize(
    ("status", "headers", "is_anonymous", "expected"),
    [
        (200, {}, False, None),
        (304, {}, False, None),
        (401, {}, False, Refusal.CREDENTIAL),
        (401, {}, True, None),  # a response about the resource: it is not public
        (403, SPENT, False, Refusal.SPENT),
        (429, SPENT, True, Refusal.SPENT),
        (403, {"Retry-After": "60"}, False, Refusal.SECONDARY),
        (429, {}, True, Refusal.SECONDARY),
        (403, {}, False, None),
        (503, {"Retry-After": "60"}, False, None),
    ],
)
def test_a_refusal_says_what_the_next_request_must_change(
    status: int, headers: Mapping[str, str], *, is_anonymous: bool, expected: Refusal | None
) -> None:
    response = replace(make_response(status, headers=headers), is_anonymous=is_anonymous)
    assert refusal_in(response) is expected
