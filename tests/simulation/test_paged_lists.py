"""What may be held of a list that changed while it was read."""

from tests.simulation.paged_lists import Truth, goes_back, wrong_in, wrong_names_in

GONE = None
A, OLD_B, B, C = [1, "a", "t1"], [2, "b", "t1"], [2, "b", "t2"], [3, "c", "t1"]
TRUTHS = {
    "a": Truth([0.0], [A]),
    "b": Truth([0.0, 300.0], [OLD_B, B]),
    "c": Truth([0.0, 305.0], [C, GONE]),
}


def wrong(*items: list[object], since: float = 301.0, may_miss: bool = False) -> str:
    return wrong_in(items, TRUTHS.get, list(TRUTHS), since=since, may_miss=may_miss)


def test_items_of_different_moments_of_the_reading_may_be_shown() -> None:
    assert wrong(A, B) == wrong(A, B, C) == wrong(A, OLD_B, C, since=299.0) == ""


def test_what_never_was_or_was_no_more_is_wrong() -> None:
    assert wrong(A, B, B) == "has an item twice"
    assert wrong(A, [2, "b", "t3"]).startswith("has an item that never was so")
    assert wrong(A, OLD_B) == "has b as it was until 300.00, read at 301.00"
    assert wrong(B) == "lacks a, read at 301.00"
    assert wrong(B, may_miss=True) == ""


def test_the_same_holds_of_names() -> None:
    truth = Truth([0.0, 300.0, 305.0], [["a", "b"], ["a", "b", "c"], ["a", "c"]])
    for value in (["a", "b", "c"], ["a", "b"], ["a", "c"]):
        assert wrong_names_in(value, truth, since=301.0, may_miss=False) == ""
    assert wrong_names_in(["a", "a"], truth, since=301.0, may_miss=False) == "has an item twice"
    assert wrong_names_in(["a", "d"], truth, since=301.0, may_miss=False).startswith("has d")
    assert wrong_names_in(["b"], truth, since=301.0, may_miss=False).startswith("lacks a")


def test_an_item_that_becomes_older_is_named() -> None:
    assert goes_back([A, B], [A, OLD_B]) == "b"
    assert goes_back([A, OLD_B], [B, C]) == ""
