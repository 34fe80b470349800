"""A table fits into a narrow terminal, and its rows can still be told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.cli.column_fitting import Column, fitting, shortened

COLUMNS = (
    Column("Name", "name"),
    Column("State", "state"),
    Column("First to go", "first", drop_order=1),
    Column("Second to go", "second", drop_order=2),
)


def row(name: str) -> dict[str, str]:
    return {"name": name, "state": "fresh", "first": "x", "second": "y"}


@pytest.mark.parametrize(
    ("width", "shown", "room"),
    [
        (200, "name state first second", 100),
        (134, "name state first second", 100),  # 100, and 7, 13 and 14 of the others
        (133, "name state first second", 99),
        (64, "name state first second", 30),
        (63, "name state second", 42),  # less than 30 would be left of the name
        (50, "name state", 43),
        (20, "name state", 13),  # a state is never left out
    ],
)
def test_columns_are_left_out_in_order_to_fit_the_name(width: int, shown: str, room: int) -> None:
    found, first = fitting(COLUMNS, [row("n" * 100)], width)
    assert [column.name for column in found] == shown.split()
    assert first == room


def test_short_names_take_no_more_than_they_need() -> None:
    found, first = fitting(COLUMNS, [row("abcdef")], 40)
    assert (len(found), first) == (4, 6)


def test_the_heading_counts_without_rows() -> None:
    assert fitting(COLUMNS, [], 80)[1] == len("Name")


def test_both_ends_of_a_name_stay() -> None:
    assert shortened("/repos/netflix/hystrix/issues?page=2", 21) == "/repos/net…ues?page=2"
    assert shortened("/orgs/Netflix", 13) == "/orgs/Netflix"


@given(st.text(max_size=60), st.integers(1, 50))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    found = shortened(text, width)
    assert len(found) == min(len(text), width)
