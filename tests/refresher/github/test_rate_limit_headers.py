"""What a response says about GitHub's rate limits."""

import time

import pytest

from refresher.github.rate_limit_headers import (
    PrimaryLimit,
    asked_pause,
    class_in,
    clock_offset,
    primary_limit,
    remaining,
)
from tests.builders import NOW

SPENT = {"X-RateLimit-Remaining": "0"}
LEFT = {"X-RateLimit-Remaining": "7"}


@pytest.mark.parametrize(
    ("date", "offset"),
    [
        ("Fri, 15 Jan 2027 08:00:00 GMT", 0),
        ("Fri, 15 Jan 2027 08:05:00 GMT", 300),
        ("Fri, 15 Jan 2027 07:59:59 GMT", -1),
        # The two older forms, which recipients have to understand (RFC 9110 section 5.6.7).
        ("Friday, 15-Jan-27 08:00:07 GMT", 7),
        ("Fri Jan 15 08:00:07 2027", 7),
        ("", None),
        ("yesterday", None),
        ("Fri, 99 Jan 2027 08:00:00 GMT", None),
        ("Fri, 15 Jan 99999999999 08:00:00 GMT", None),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles"])
def test_the_origin_s_clock_is_so_far_ahead_of_ours_wherever_we_are(
    monkeypatch: pytest.MonkeyPatch, zone: str, date: str, offset: float | None
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert clock_offset({"Date": date}, now=NOW) == offset
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_answer_without_a_date_tells_nothing_of_a_clock() -> None:
    assert clock_offset({}, now=NOW) is None


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("0", 0),
        ("4999", 4999),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 99, None),
    ],
)
def test_what_is_left_is_what_the_answer_says_in_digits(said: str, left: int | None) -> None:
    assert remaining({"X-RateLimit-Remaining": said}) == left
    assert remaining({}) is None


LIMIT = {
    "X-RateLimit-Limit": "5000",
    "X-RateLimit-Remaining": "4321",
    "X-RateLimit-Reset": "1800000000",
}


def test_a_primary_limit_is_reported_in_three_fields() -> None:
    assert primary_limit(LIMIT) == PrimaryLimit(5000, 4321, 1_800_000_000)


@pytest.mark.parametrize("field", LIMIT)
@pytest.mark.parametrize("value", [None, "", "-1", "1.5", "\u0663", "9" * 99])
def test_a_primary_limit_with_a_field_that_is_no_number_is_none(
    field: str, value: str | None
) -> None:
    headers = LIMIT | {field: value}
    assert primary_limit({name: one for name, one in headers.items() if one is not None}) is None


def test_a_primary_limit_of_no_requests_at_all_is_none() -> None:
    assert primary_limit(LIMIT | {"X-RateLimit-Limit": "0"}) is None


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, None),
        ({"Retry-After": "60"}, 60),
        ({"Retry-After": "60", **SPENT, "X-RateLimit-Reset": "1800000030"}, 60),
        (SPENT | {"X-RateLimit-Reset": "1800000030"}, 30),
        (SPENT | {"X-RateLimit-Reset": "1799999999"}, 0),
        (LEFT | {"X-RateLimit-Reset": "1800000030"}, None),
        (SPENT, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "9" * 300}, 365 * 24 * 3600),
        (SPENT | {"X-RateLimit-Reset": "9" * 300}, 365 * 24 * 3600),
    ],
)
def test_a_pause_is_what_github_asks_for_up_to_a_year(
    headers: dict[str, str], pause: float | None
) -> None:
    assert asked_pause(headers, now=NOW) == pause


@pytest.mark.parametrize("name", ["core", "dependency_sbom", "search"])
def test_an_answer_names_its_class(name: str) -> None:
    assert class_in({"X-RateLimit-Resource": name}) == name


@pytest.mark.parametrize("name", ["", "a b", "Core:x", "a" * 41])
def test_nonsense_names_no_class(name: str) -> None:
    assert class_in({"X-RateLimit-Resource": name}) is None
    assert class_in({}) is None
