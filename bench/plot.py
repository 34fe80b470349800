"""The plot of the throughput: `python -m bench.plot docs/throughput.json docs/throughput.png`."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Quantity, Sample, had_to_wait, ratios
from bench.results import throughput_from_json
from bench.servers import FLASK, NGINX, NGINX_TUNED, OURS, VARNISH
from bench.tables import TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 150
_SPACING = 0.17  # between two servers of a workload, whose own distance is 1


@dataclass(frozen=True)
class _Style:
    """How a server is drawn; servers differ in colour (Okabe and Ito's) and in shape."""

    label: str
    colour: str
    marker: str
    size: float = 7


_STYLES = {
    OURS: _Style("ours", "#D55E00", "o", 9),
    FLASK: _Style("plain Flask on gunicorn", "#000000", "D", 5.5),
    NGINX_TUNED: _Style("nginx, tuned", "#0072B2", "s"),
    VARNISH: _Style("Varnish", "#009E73", "^"),
}


def draw(samples: Sequence[Sample], sizes: Mapping[str, int], path: Path) -> None:
    """Write a PNG: each server's ratio to nginx with Debian's configuration, by workload.

    Args:
        samples: including nginx's.
        sizes: bytes of the body of each workload's response.
        path: of the PNG.
    """
    # Imported here: it takes a second, and creates a folder in the home directory.
    from matplotlib.figure import Figure  # noqa: PLC0415

    workloads = list(dict.fromkeys(sample.workload for sample in samples))
    rounds = len({sample.round for sample in samples})
    figure = Figure(figsize=(11, 2 + 0.75 * len(workloads)), layout="constrained")
    panels = figure.subplots(1, len(TITLES), sharex=True, sharey=True)
    for panel, quantity in zip(panels, TITLES, strict=True):
        _draw_frame(panel, TITLES[quantity], len(workloads))
        _draw_servers(panel, samples, workloads, quantity)
    labels = [f"{workload}\n{_size(sizes[workload])}" for workload in workloads]
    panels[0].set_yticks(range(len(workloads)), labels)
    panels[0].set_ylim(len(workloads) - 0.5, -0.5)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), frameon=False)
    figure.supxlabel(
        "multiple of nginx's proxy_cache with Debian's configuration; "
        f"each server on one core; median, least and most of {rounds} rounds\n"
        "hollow: the server, or that nginx, waited for the load, its client or a core",
        fontsize=9,
    )
    figure.savefig(path, dpi=_DPI)


def _size(size: int) -> str:
    if not size:
        return "no body"
    return f"{size / 1000:,.0f} kB" if size >= 10_000 else f"{size / 1000:.1f} kB"


def _draw_frame(panel: "Axes", title: str, rows: int) -> None:
    panel.set_title(title, fontsize=11)
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter("{x:g}")
    panel.axvline(1, color="#555555", linewidth=1.2, zorder=0, label="nginx, Debian")
    panel.grid(axis="x", which="major", color="#dddddd", linewidth=0.8)
    for row in range(1, rows):
        panel.axhline(row - 0.5, color="#e4e4e4", linewidth=0.8, zorder=0)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)


def _draw_servers(
    panel: "Axes", samples: Sequence[Sample], workloads: Sequence[str], quantity: Quantity
) -> None:
    present = {sample.server for sample in samples}
    drawn = [server for server in _STYLES if server in present]
    for place, server in enumerate(drawn):
        style, offset = _STYLES[server], (place - (len(drawn) - 1) / 2) * _SPACING
        for row, workload in enumerate(workloads):
            ratio = ratios(samples, workload=workload, server=server, base=NGINX, quantity=quantity)
            if ratio is None:
                continue
            hollow = quantity == "per_second" and any(
                had_to_wait(samples, workload=workload, server=one) for one in (server, NGINX)
            )
            panel.errorbar(
                ratio.median,
                row + offset,
                xerr=[[ratio.median - ratio.least], [ratio.most - ratio.median]],
                fmt=style.marker,
                color=style.colour,
                markersize=style.size,
                markerfacecolor="white" if hollow else style.colour,
                elinewidth=1.2,
                capsize=2.5,
            )
        # For the legend, in which no marker is hollow.
        panel.plot(
            [], [], style.marker, color=style.colour, markersize=style.size, label=style.label
        )


def main() -> int:
    """Draw a results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("png", type=Path)
    options = parser.parse_args()
    samples, sizes = throughput_from_json(options.results.read_text())
    draw(samples, sizes, options.png)
    return 0


if __name__ == "__main__":
    sys.exit(main())
