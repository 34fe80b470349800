"""What an answer says of GitHub's rate limits."""

import time

import pytest

from refresher.github.rate_limit_headers import clock_offset, is_secondary, is_spent
from tests.builders import NOW
from tests.refresher.workbench import make_response

SPENT = {"X-RateLimit-Remaining": "0"}
LEFT = {"X-RateLimit-Remaining": "7"}
WORDS = b'{"message":"You have exceeded a secondary rate limit."}'


@pytest.mark.parametrize(
    ("status", "headers", "body", "spent", "secondary"),
    [
        (403, SPENT, b"{}", True, False),
        (429, SPENT, b"{}", True, False),
        (200, SPENT, b"{}", False, False),  # the last request of the hour
        (403, LEFT, b"{}", False, False),  # forbidden, and no limit at all
        (403, LEFT | {"Retry-After": "60"}, b"{}", False, True),
        (403, LEFT, WORDS, False, True),
        (429, LEFT, b"{}", False, True),
        (429, {}, b"{}", False, True),
        (503, {"Retry-After": "60"}, b"{}", False, False),
    ],
)
def test_primary_and_secondary_limits_are_told_apart(
    status: int, headers: dict[str, str], body: bytes, *, spent: bool, secondary: bool
) -> None:
    response = make_response(status, body, headers=headers)
    assert (is_spent(response), is_secondary(response)) == (spent, secondary)


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
