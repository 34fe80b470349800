"""The plot of a change: `python -m bench.change.plot docs/change.json docs/change.png`."""

import argparse
import sys
from collections.abc import Sequence
from math import ceil, floor, log10
from pathlib import Path

from bench.change.figures import CHANGED, STEADY, Results
from bench.change.report import (
    BEFORE,
    CPU,
    MEMORY,
    NOW,
    REQUESTS,
    SENT,
    VISIBLE,
    Column,
    figure,
    from_json,
)

_DPI = 140
_STYLES = {NOW: ("#D55E00", "o-"), BEFORE: ("#0072B2", "s--")}  # Okabe and Ito's colours
_PANELS: Sequence[tuple[str, Column, str]] = (
    ("Requests at GitHub", REQUESTS, CHANGED),
    ("CPU of the refresher, s", CPU, CHANGED),
    ("Memory of the refresher, MB", MEMORY, CHANGED),
    ("kB from Redis for a process", SENT, CHANGED),
    ("Visible after, s", VISIBLE, CHANGED),
    ("One change a second: visible, p99, s", VISIBLE, STEADY),
)


def draw(results: Results, path: Path) -> None:
    """Write a PNG: the cost of one change by the size of the list, now and before."""
    # Imported here: it takes a second, and creates a folder in the home directory.
    from matplotlib.figure import Figure  # noqa: PLC0415

    sizes = sorted({one.repositories for one in results.samples})
    drawn = Figure(figsize=(11, 6), layout="constrained")
    panels = drawn.subplots(2, 3, sharex=True).flat
    for panel, (title, column, event) in zip(panels, _PANELS, strict=True):
        for code, (colour, line) in _STYLES.items():
            found = {size: figure(results.samples, column, (code, size, event)) for size in sizes}
            known = {size: value for size, value in found.items() if value}
            panel.plot([*known], [*known.values()], line, color=colour, label=code)
        panel.set_title(title, fontsize=11)
        panel.set_xscale("log")
        panel.set_yscale("log")
        low, high = panel.get_ylim()
        panel.set_ylim(10 ** floor(log10(low)), 10 ** ceil(log10(high)))
        panel.yaxis.set_major_formatter("{x:,g}")
        panel.yaxis.set_minor_formatter("")
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
        panel.xaxis.minorticks_off()
        panel.grid(color="#dddddd", linewidth=0.8)
        panel.spines[["top", "right"]].set_visible(False)
    handles, names = drawn.axes[0].get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside upper center", ncols=len(names), frameon=False)
    drawn.supxlabel("repositories in the list", fontsize=10)
    drawn.savefig(path, dpi=_DPI)


def main() -> int:
    """Draw a results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("png", type=Path)
    options = parser.parse_args()
    draw(from_json(options.results.read_text()), options.png)
    return 0


if __name__ == "__main__":
    sys.exit(main())
