"""Figures in the pages of `docs/`."""

import pytest

from bench.pages import END, begin_of, put_into, table


def test_figures_are_put_into_their_place_again_and_again() -> None:
    page = f"before\n{begin_of('make x')}\nold\n{END}\nafter\n"
    once = put_into(page, "new", command="make x")
    assert once == put_into(once, "new", command="make x")
    assert once == f"before\n{begin_of('make x')}\n\nnew\n\n{END}\nafter\n"


def test_a_page_without_a_place_for_them_is_refused() -> None:
    page = f"{begin_of('make x')}\n{END}\n"
    with pytest.raises(ValueError, match="no place"):
        put_into(page, "new", command="make y")


def test_a_table_has_a_line_for_each_row() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
