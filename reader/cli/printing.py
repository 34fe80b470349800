"""What commands print: tables that fit the terminal, or one JSON document.

Rich is loaded when something is printed, not before: reader processes never need it.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

# Colours of the status page's levels; the word beside it says the same.
COLOURS = {"good": "blue", "note": "default", "warn": "yellow", "bad": "red"}
_PLAIN_WIDTH = 160  # columns where there is no terminal: nothing is cut


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        title: its head.
        name: of the row's member that it shows.
        from_width: columns of a terminal from which it is shown.
        folds: long values go on in the next line; others stay in one.
    """

    title: str
    name: str
    from_width: int = 0
    folds: bool = False


def console() -> "Console":
    """Where things are printed: without colours, and wide, where that is no terminal."""
    from rich.console import Console  # noqa: PLC0415 - see above

    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    return Console(width=width, highlight=False, soft_wrap=False)


def print_json(value: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """Print rows; the level of each colours its state."""
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    out = console()
    shown = [column for column in columns if out.width >= column.from_width]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in shown:
        table.add_column(column.title, no_wrap=not column.folds, overflow="fold")
    for row in rows:
        colour = COLOURS.get(str(row.get("level")), "default")
        cells = []
        for column in shown:
            text = escape(str("" if row[column.name] is None else row[column.name]))
            cells.append(f"[{colour}]{text}[/]" if column.name == "state" else text)
        table.add_row(*cells)
    out.print(table)


def print_facts(facts: Mapping[str, str]) -> None:
    """Print what is known of one thing, a line each."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(name, Text(fact))
    console().print(table)
