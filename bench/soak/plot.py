"""The plot of a soak: `python -m bench.soak.plot docs/soak.json docs/soak.png`."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.soak.shape import CHANGES, NO_REDIS, OUTAGE, RELOAD, WITH, WITHOUT, Shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 130
# Okabe and Ito's, which colour-blind people can distinguish.
_BLUE, _ORANGE, _GREEN, _BLACK, _SKY = "#0072B2", "#D55E00", "#009E73", "#000000", "#56B4E9"
_NAMES = {RELOAD: "reload", CHANGES: "changes", OUTAGE: "GitHub away", NO_REDIS: "no Redis"}
_EVENTS = {RELOAD, CHANGES, OUTAGE, NO_REDIS}


def draw(results: Path, png: Path) -> None:
    """Draw rate, times, memory and open files over the run, with its phases."""
    # Imported here: it takes a second, and creates a folder in the home directory.
    from matplotlib.figure import Figure  # noqa: PLC0415

    found: dict[str, Any] = json.loads(results.read_text())
    shape = Shape(found["plan"]["minutes"], found["plan"]["rate"])
    figure = Figure(figsize=(12, 10), layout="constrained")
    rate, times, memory, files = figure.subplots(4, 1, sharex=True)
    for panel in (rate, times, memory, files):
        _draw_phases(panel, shape)
    _name_phases(rate, shape)
    _draw_rate(rate, found)
    _draw_times(times, found)
    _draw_memory(memory, found)
    _draw_files(files, found)
    for panel in (rate, times, memory, files):
        panel.legend(loc="center left", bbox_to_anchor=(1.005, 0.5), frameon=False, fontsize=9)
    files.set_xlim(0, shape.seconds)
    files.set_xlabel(
        "seconds of the run (an hour, compressed); grey: with slow and rude clients; "
        "yellow: with a fault or a change as well"
    )
    figure.savefig(png, dpi=_DPI)


def _draw_phases(panel: "Axes", shape: Shape) -> None:
    for begin, end in shape.slow_clients():
        panel.axvspan(begin, end, color="#eeeeee", linewidth=0, zorder=0)
    for name, (begin, end) in shape.phases().items():
        if name in _EVENTS:
            panel.axvspan(begin, end, color="#F0E442", alpha=0.35, linewidth=0, zorder=0)
        if name not in {WITH, WITHOUT}:
            panel.axvline(begin, color="#aaaaaa", linewidth=0.6, zorder=1)
    panel.grid(axis="y", color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _name_phases(panel: "Axes", shape: Shape) -> None:
    for name, (begin, end) in shape.phases().items():
        if name == WITH:
            continue
        label = "without, with, in turns" if name == WITHOUT else _NAMES.get(name, name)
        panel.annotate(
            label, ((begin + end) / 2, 1.02), xycoords=("data", "axes fraction"), rotation=45,
            ha="left", va="bottom", fontsize=9,
        )  # fmt: skip


def _draw_rate(panel: "Axes", found: dict[str, Any]) -> None:
    seconds = [int(second) for second in found["seconds"]]
    counts = [times["requests"] for times in found["seconds"].values()]
    panel.plot(seconds, counts, color=_BLUE, linewidth=1.2, label="held content")
    panel.set_ylabel("requests a second")
    panel.set_ylim(0)


def _draw_times(panel: "Axes", found: dict[str, Any]) -> None:
    seconds = [int(second) + 0.5 for second in found["seconds"]]
    rows = (("worst", "worst", _ORANGE), ("p99", "p99", _BLACK), ("p50", "p50", _SKY))
    for name, label, colour in rows:
        values = [times[name] for times in found["seconds"].values()]
        panel.plot(seconds, values, color=colour, linewidth=1.1, label=label)
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter("{x:g}")
    panel.set_ylabel("ms from when it was due")


def _draw_memory(panel: "Axes", found: dict[str, Any]) -> None:
    lives: dict[str, list[tuple[float, float]]] = {}
    for sample in found["samples"]:
        for pid, held in sample["readers"].items():
            lives.setdefault(pid, []).append((sample["at"], held["rss"] / 1e6))
    styles = ["-", "--", "-", "--"]
    for place, seen in enumerate(lives.values()):
        when = "before the reload" if place < 2 else "after it"
        panel.plot(
            *zip(*seen, strict=True), linestyle=styles[place % 4], linewidth=1.4,
            color=_BLUE if place < 2 else _GREEN, label=f"reader {place % 2 + 1}, {when}",
        )  # fmt: skip
    here = [(one["at"], (one["redis"] or float("nan")) / 1e6) for one in found["samples"]]
    panel.plot(*zip(*here, strict=True), color=_ORANGE, linewidth=1.4, label="Redis, data")
    panel.set_ylabel("MB of memory")
    panel.set_ylim(0)


def _draw_files(panel: "Axes", found: dict[str, Any]) -> None:
    at = [sample["at"] for sample in found["samples"]]
    files = [sum(one["files"] for one in s["readers"].values()) for s in found["samples"]]
    threads = [sum(one["threads"] for one in s["readers"].values()) for s in found["samples"]]
    panel.plot(at, files, color=_BLUE, linewidth=1.4, label="open files")
    panel.plot(at, threads, color=_ORANGE, linewidth=1.4, linestyle="--", label="threads")
    panel.set_ylabel("of all readers")
    panel.set_ylim(0)


def main() -> int:
    """Draw a results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("png", type=Path)
    options = parser.parse_args()
    draw(options.results, options.png)
    return 0


if __name__ == "__main__":
    sys.exit(main())
