"""Output of commands: tables that fit the terminal, or one JSON document.

Rich is imported when something is printed: reader processes never need it. Without a terminal,
output is plain, and nothing in it is shortened or wrapped.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from reader.cli.column_fitting import GAP, Column, fitting, shortened

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_ENDLESS = 100_000  # columns, the width if the output is not a terminal


def console() -> "Console":
    """The console that commands print to."""
    from rich.console import Console  # noqa: PLC0415 - see above

    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=_ENDLESS)


def print_json(value: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(
    rows: Sequence[Mapping[str, str]], columns: Sequence[Column], *, styles: Sequence[str] = ()
) -> None:
    """Print rows, one per line; the first column is shortened if the terminal is narrow.

    Args:
        rows: texts by name.
        columns: the columns.
        styles: for each row, the rich style of its `state`.
    """
    from rich.text import Text  # noqa: PLC0415

    out = console()
    shown, first = fitting(columns, rows, out.width)
    table = _grid()
    for column in shown:
        title = Text(column.title, style="bold")
        table.add_column(title, no_wrap=True, justify="right" if column.right_aligned else "left")
    table.show_header = True
    for row, style in zip(rows, styles or [""] * len(rows), strict=True):
        rest = [(row[one.name], style if one.name == "state" else "") for one in shown[1:]]
        name = Text(shortened(row[shown[0].name], first))
        table.add_row(name, *(Text(*cell) for cell in rest))
    _print(out, table)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print (name, fact) pairs, one per line, without those whose fact is empty."""
    from rich.text import Text  # noqa: PLC0415

    out, table = console(), _grid()
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts:
        if fact:
            table.add_row(Text(shortened(name, max(10, out.width // 2))), Text(fact))
    _print(out, table)


def print_lines(lines: Iterable[Sequence[tuple[str, str]]]) -> None:
    """Print lines of (text, style) cells; a long last cell is wrapped in its own column."""
    from rich.text import Text  # noqa: PLC0415

    rows = [[Text(text, style=style) for text, style in line] for line in lines]
    table = _grid()
    most = max((len(row) for row in rows), default=0)
    for number in range(most):
        table.add_column(no_wrap=number < most - 1, overflow="fold")
    for row in rows:
        table.add_row(*row)
    _print(console(), table)


def _grid() -> "Table":
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
    table.show_edge = False
    return table


def _print(out: "Console", what: "RenderableType") -> None:
    """Print without the trailing spaces that rich adds."""
    with out.capture() as captured:
        out.print(what)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())
