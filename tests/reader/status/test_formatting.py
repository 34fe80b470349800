"""Numbers and times are formatted for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.status import formatting
from tests.builders import NOW


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.0004, "less than 1 ms"),
        (0.0123, "12 ms"),
        (0.9, "900 ms"),
        (1, "1 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (86400, "1 day"),
        (90000, "1 day 1 h"),
        (3 * 86400 + 60, "3 days"),
        (-5, "0 s"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, said: str) -> None:
    assert formatting.duration(seconds) == said


def test_a_duration_on_a_live_page_is_in_whole_seconds() -> None:
    assert [formatting.about(seconds) for seconds in (-3, 0.4, 12.4)] == ["0 s", "0 s", "12 s"]


@given(st.floats(0.001, 10**9))
def test_every_duration_is_short_and_begins_with_a_number(seconds: float) -> None:
    said = formatting.duration(seconds)
    assert said[0].isdigit()
    assert len(said.split()) in {2, 4}


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 B"), (999, "999 B"), (1350, "1.35 kB"), (1_350_000, "1.35 MB"), (38.7e6, "38.7 MB")],
)
def test_a_size_has_three_digits(number: float, said: str) -> None:
    assert formatting.size(number) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 0, "\u2013"), (0, 7, "0 %"), (7, 7, "100 %"), (1, 3, "33 %"), (9999, 10000, "99.9 %"),
        (99999, 100000, "99.9 %"), (1, 100000, "0.1 %"),
    ],
)  # fmt: skip
def test_only_all_is_100_percent_and_only_none_is_0_percent(
    part: int, whole: int, said: str
) -> None:
    assert formatting.share(part, whole) == said


def test_a_time_of_another_day_has_its_date() -> None:
    assert formatting.clock(NOW, NOW) == "08:00:00 UTC"
    assert formatting.clock(NOW - 86400, NOW) == "14 Jan 08:00 UTC"


def test_a_few_names_are_all_listed_and_many_are_counted() -> None:
    assert formatting.listed(["/a"]) == "/a"
    assert formatting.listed(["/a", "/b", "/c"]) == "/a, /b and /c"
    assert formatting.listed(["/a", "/b", "/c", "/d"]) == "/a, /b, /c and 1 more"
