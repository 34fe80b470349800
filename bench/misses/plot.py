"""The plot of the misses: `python -m bench.misses.plot docs/misses.json docs/misses.png`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Spread
from bench.misses.figures import Sample, picked, ratio, spread
from bench.misses.measure import COLD, QUIET, SECURE, WITH_LIST
from bench.misses.report import from_json, p99, rate
from bench.misses.servers import LIMIT, NAMES, NGINX, OURS, VARNISH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 140
_SPACING = 0.17  # between two servers of a row; rows are 1 apart
_LABELS = {QUIET: "", WITH_LIST: "\nlist refreshed", SECURE: "\nTLS"}


@dataclass(frozen=True)
class _Style:
    """How a server is drawn; servers differ in colour (Okabe and Ito's) and in shape."""

    label: str
    colour: str
    marker: str


_STYLES = {
    OURS: _Style("ours", "#D55E00", "o"),
    NGINX: _Style("nginx", "#0072B2", "s"),
    VARNISH: _Style("Varnish", "#009E73", "^"),
    LIMIT: _Style("the limit", "#000000", "D"),
}


def draw(samples: Sequence[Sample], path: Path) -> None:
    """Write a PNG: misses a second as multiples of the limit's, and the p99 of each server."""
    # Imported here: it takes a second, and creates a folder in the home directory.
    from matplotlib.figure import Figure  # noqa: PLC0415

    rows = [
        (phase, scenario.name)
        for phase in (QUIET, WITH_LIST, SECURE)
        for scenario in COLD
        if picked(samples, (phase, scenario.name, OURS))
    ]
    figure = Figure(figsize=(11, 1.8 + 0.75 * len(rows)), layout="constrained")
    rates, times = figure.subplots(1, 2, sharey=True)

    def to_the_limit(phase: str, scenario: str, name: str) -> Spread | None:
        return ratio(samples, rate, of=(phase, scenario, name), to=(phase, scenario, LIMIT))

    def tail(phase: str, scenario: str, name: str) -> Spread | None:
        return spread(samples, p99, (phase, scenario, name))

    _draw(rates, "Right responses a second, as a multiple of the limit's", rows, to_the_limit)
    _draw(times, "p99, as a multiple of the origin's own time", rows, tail)
    rates.set_yticks(range(len(rows)), [f"{name}{_LABELS[phase]}" for phase, name in rows])
    rates.set_ylim(len(rows) - 0.5, -0.5)
    handles, names = rates.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), frameon=False)
    figure.supxlabel("median, least and most of the rounds", fontsize=9)
    figure.savefig(path, dpi=_DPI)


def _draw(
    panel: "Axes",
    title: str,
    rows: Sequence[tuple[str, str]],
    value: Callable[[str, str, str], Spread | None],
) -> None:
    panel.set_title(title, fontsize=11)
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter("{x:g}")
    panel.axvline(1, color="#555555", linewidth=1.2, zorder=0)
    panel.grid(axis="x", which="major", color="#dddddd", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)
    for place, name in enumerate(NAMES):
        style, offset = _STYLES[name], (place - (len(NAMES) - 1) / 2) * _SPACING
        panel.plot([], [], style.marker, color=style.colour, label=style.label)
        for row, (phase, scenario) in enumerate(rows):
            found = value(phase, scenario, name)
            if found is None or found.median <= 0:
                continue
            panel.errorbar(
                found.median,
                row + offset,
                xerr=[[found.median - found.least], [found.most - found.median]],
                fmt=style.marker,
                color=style.colour,
                markersize=6,
                elinewidth=1.2,
                capsize=2.5,
            )


def main() -> int:
    """Draw a results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("png", type=Path)
    options = parser.parse_args()
    draw(from_json(options.results.read_text()).samples, options.png)
    return 0


if __name__ == "__main__":
    sys.exit(main())
