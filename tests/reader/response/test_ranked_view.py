"""Ranked views: the first or last items of a list in the order of a metric."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.errors import ApiError, BadRequest, NotFound
from reader.response.ranked_view import RankedView
from tests.builders import RANKINGS, compressed, make_ranked_entry

repositories = st.dictionaries(
    st.text("abcXYZ-_.", min_size=1, max_size=4).map(lambda name: f"Netflix/{name}"),
    st.integers(0, 3),  # few values, so many ties
    max_size=15,
)


def in_order(values: dict[str, int]) -> list[list[object]]:
    """Value descending, ties by name ascending: by selection, not by a sort key."""
    left, ordered = dict(values), []
    while left:
        best = max(left.values())
        name = min(name for name, value in left.items() if value == best)
        ordered.append([name, left.pop(name)])
    return [list(pair) for pair in ordered]


@given(repositories, st.integers(1, 20), st.sampled_from(RANKINGS))
def test_top_is_the_first_and_bottom_the_last_of_one_order(
    values: dict[str, int], count: int, metric: str
) -> None:
    entry, ordered = make_ranked_entry(values), in_order(values)
    top = RankedView(metric, from_top=True, count=count).of(entry)
    bottom = RankedView(metric, from_top=False, count=count).of(entry)
    assert json.loads(bytes(top.body)) == ordered[:count]
    assert json.loads(bytes(bottom.body)) == ordered[max(0, len(ordered) - count) :]


@given(repositories, st.integers(1, 20))
def test_a_view_is_written_as_json_dumps_writes_it(values: dict[str, int], count: int) -> None:
    body = RankedView("stars", from_top=False, count=count).of(make_ranked_entry(values)).body
    assert bytes(body).decode() == json.dumps(json.loads(bytes(body)))


def test_a_golden_view() -> None:
    entry = make_ranked_entry({"Netflix/b": 7, "Netflix/a": 7, "Netflix/B": 7, "Netflix/z": 9})
    top = RankedView.parse("top", "3", "stars").of(entry)
    assert top.body == b'[["Netflix/z", 9], ["Netflix/B", 7], ["Netflix/a", 7]]'
    bottom = RankedView.parse("bottom", "2", "stars").of(entry)
    assert bottom.body == b'[["Netflix/a", 7], ["Netflix/b", 7]]'


def test_a_view_is_json_without_links_or_stored_compression() -> None:
    entry = compressed(make_ranked_entry({"a/b": 1}, content_type="application/vnd.x+json"))
    view = RankedView("forks", from_top=True, count=1).of(entry)
    assert view.content_type == "application/json; charset=utf-8"
    assert (view.encoded, view.links) == ({}, ())


@pytest.mark.parametrize(
    ("text", "count"),
    [("1", 1), ("10", 10), ("007", 7), ("999999999999999", 10**15 - 1)],
)
def test_a_count_is_a_whole_number_from_one(text: str, count: int) -> None:
    assert RankedView.parse("top", text, "forks") == RankedView("forks", from_top=True, count=count)


@pytest.mark.parametrize("text", ["9" * 16, "9" * 10_000, "0" * 10_000 + "1" * 30])
def test_a_count_beyond_any_list_gives_all(text: str) -> None:
    entry = make_ranked_entry({"a/b": 1, "a/c": 2})
    assert json.loads(bytes(RankedView.parse("bottom", text, "stars").of(entry).body)) == [
        ["a/c", 2],
        ["a/b", 1],
    ]


@pytest.mark.parametrize(
    "text",
    ["0", "00", "-1", "+1", "1.5", "1.0", "1e3", "abc", "", " ", " 1", "1_0", "0x1", "\u0661",
     "\u00b2", "1\n", "0" * 10_000],
)  # fmt: skip
def test_any_other_count_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        RankedView.parse("top", text, "stars")
    assert len(refused.value.message) < 300


@pytest.mark.parametrize(
    ("direction", "metric"),
    [("top", "star"), ("top", "STARS"), ("top", ""), ("Top", "stars"), ("middle", "stars")],
)
def test_an_unknown_direction_or_metric_is_not_found(direction: str, metric: str) -> None:
    with pytest.raises(NotFound):
        RankedView.parse(direction, "5", metric)


def test_not_found_goes_before_bad_request() -> None:
    with pytest.raises(ApiError) as refused:
        RankedView.parse("middle", "x", "stars")
    assert refused.value.status == 404
