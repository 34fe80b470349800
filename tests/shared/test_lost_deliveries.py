"""The report of lost deliveries comes back as it was stored; a damaged one is absent."""

import json

import pytest

from shared.lost_deliveries import LookReport, SourceReport, parse

REPORT = LookReport(
    1_800_000_000.5,
    300.0,
    (
        SourceReport("Netflix", 1, 2, 1, (502, 401)),
        SourceReport("the GitHub App", problem="GitHub answered 404"),
    ),
)


def test_it_comes_back_as_it_was_stored() -> None:
    assert parse(REPORT.to_json().encode()) == REPORT


def test_it_adds_its_sources_up() -> None:
    assert (REPORT.hooks, REPORT.waiting, REPORT.given_up) == (1, 2, 1)
    assert [one.name for one in REPORT.problems] == ["the GitHub App"]


@pytest.mark.parametrize(
    "text",
    [None, b"", b"{}", b"[]", b"3", b"\xff", b'{"at": 1, "interval": 2, "sources": [{}]}'],
)
def test_a_damaged_one_is_absent(text: bytes | None) -> None:
    assert parse(text) is None


def test_one_with_more_in_it_is_read_all_the_same() -> None:
    later = json.loads(REPORT.to_json()) | {"more": 1}
    assert parse(json.dumps(later).encode()) == REPORT
