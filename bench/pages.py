"""Markdown that a measurement writes: tables, and their place in a page of `docs/`."""

from collections.abc import Sequence

END = "<!-- end of the figures -->"


def begin_of(command: str) -> str:
    """The line of a page behind which a command places its figures, up to `END`."""
    return f"<!-- figures: written by {command} -->"


def put_into(page: str, figures: str, *, command: str) -> str:
    """Replace the figures that a command wrote in a page.

    Raises:
        ValueError: the page has no place for them.
    """
    before, begin, rest = page.partition(begin_of(command))
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the page has no place for figures")
    return f"{before}{begin}\n\n{figures}\n\n{END}{after}"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a line for each row."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
