"""What an answer says of GitHub's rate limits."""

import pytest

from refresher.limits import is_secondary, is_spent
from tests.refresher.workbench import make_answer

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
    answer = make_answer(status, body, headers=headers)
    assert (is_spent(answer), is_secondary(answer)) == (spent, secondary)
