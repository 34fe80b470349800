"""What a request costs, by its response."""

import pytest

from tests.refresher.workbench import make_exchange


@pytest.mark.parametrize(
    ("status", "anonymous", "points"),
    [
        (200, False, 1),
        (200, True, 1),
        (304, False, 0),  # free to who is authorised
        (304, True, 1),
        (404, False, 1),
        (403, False, 1),
        (502, False, 1),
        (401, False, 0),  # refused before it could count
        (None, False, 0),  # no response: nobody knows
        (None, True, 0),
    ],
)
def test_what_a_request_counts_against_the_limit(
    status: int | None, *, anonymous: bool, points: int
) -> None:
    assert make_exchange(status, is_anonymous=anonymous).points == points
