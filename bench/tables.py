"""Tables of the results for a terminal."""

from collections.abc import Sequence
from statistics import median

from bench.figures import Quantity, Sample, Spread, had_to_wait, ratios
from bench.results import Latency
from bench.servers import NAMES, NGINX, NGINX_TUNED, OURS, OURS_MOUNTED

TITLES: dict[Quantity, str] = {
    "per_second": "Requests a second",
    "per_cpu_second": "Requests for a CPU second of the server",
}
_COLUMN = 22


def throughput(samples: Sequence[Sample]) -> str:
    """The ratios to each nginx that was measured, and the absolute numbers."""
    tables = [
        ratio_table(samples, base=base, quantity=quantity)
        for quantity in TITLES
        for base in (NGINX, NGINX_TUNED)
        if base in _servers(samples)
    ]
    star = "* One of the two waited for the load, for its client or for a core."
    return "\n\n".join([*tables, star, absolute_table(samples)])


def ratio_table(samples: Sequence[Sample], *, base: str, quantity: Quantity) -> str:
    """One row for each workload, one column for each server other than the base.

    A star means that one of the two had to wait: requests for a CPU second say more in that case.
    """
    servers = [name for name in _servers(samples) if name != base]
    title = f"{TITLES[quantity]}, as a multiple of {base}: median (least..most of the rounds)"
    lines = [title, f"{'':12}" + "".join(f"{name:>{_COLUMN}}" for name in servers)]
    for workload in _workloads(samples):
        cells = []
        for server in servers:
            ratio = ratios(samples, workload=workload, server=server, base=base, quantity=quantity)
            star = quantity == "per_second" and any(
                had_to_wait(samples, workload=workload, server=one) for one in (server, base)
            )
            cells.append(_spread(ratio) + ("*" if star else " "))
        lines.append(f"{workload:12}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells))
    return "\n".join(lines)


def mount_table(samples: Sequence[Sample]) -> str:
    """Ours under `/api/v3` as a multiple of ours under `/`: one row for each workload."""
    lines = [
        "Ours under /api/v3, as a multiple of ours under /: median (least..most of the rounds)",
        f"{'':12}{'requests/s':>{_COLUMN}}{'for a CPU second':>{_COLUMN}}",
    ]
    for workload in _workloads(samples):
        cells = [
            _spread(
                ratios(samples, workload=workload, server=OURS_MOUNTED, base=OURS, quantity=one)
            )
            for one in TITLES
        ]
        lines.append(f"{workload:12}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells))
    return "\n".join(lines)


def absolute_table(samples: Sequence[Sample]) -> str:
    """The medians, which depend on this machine and its other work."""
    servers = _servers(samples)
    lines = [
        "This machine, today: requests a second, a CPU second, and how busy the server was",
        f"{'':12}" + "".join(f"{name:>{_COLUMN}}" for name in servers),
    ]
    for workload in _workloads(samples):
        cells = []
        for server in servers:
            of_both = [one for one in samples if (one.workload, one.server) == (workload, server)]
            per_second = median(one.per_second for one in of_both)
            per_cpu_second = median(one.per_cpu_second for one in of_both)
            busy = median(one.busy for one in of_both)
            cells.append(f"{per_second:,.0f} {per_cpu_second:>8,.0f} {busy:>4.0%}")
        lines.append(f"{workload:12}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells))
    return "\n".join(lines)


def latency(latencies: Sequence[Latency]) -> str:
    """One row for each server and rate."""
    lines = [
        "Milliseconds at a fixed rate: median (least..most of the rounds)",
        f"{'':14}{'requests/s':>12}{'p50':>{_COLUMN}}{'p99':>{_COLUMN}}"
        f"{'p99 of generator':>{_COLUMN}}",
    ]
    for rate in sorted({one.rate for one in latencies}):
        for server in NAMES:
            found = [one for one in latencies if (one.server, one.rate) == (server, rate)]
            if found:
                lines.append(f"{server:14}{rate:>12,.0f}{_latency_cells(found)}")
    return "\n".join(lines)


def _latency_cells(rounds: Sequence[Latency]) -> str:
    if 2 * sum(one.keeps_up for one in rounds) <= len(rounds):
        return f"{'does not keep up':>{_COLUMN}}"
    columns = zip(*((one.p50, one.p99, one.generator) for one in rounds), strict=True)
    return "".join(f"{_spread(Spread.of(values)):>{_COLUMN}}" for values in columns)


def _servers(samples: Sequence[Sample]) -> list[str]:
    present = {sample.server for sample in samples}
    return [name for name in NAMES if name in present]


def _workloads(samples: Sequence[Sample]) -> list[str]:
    return list(dict.fromkeys(sample.workload for sample in samples))


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    if spread.least == spread.most:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.least)}..{number(spread.most)})"


def number(value: float) -> str:
    """A number with three significant digits; whole from 100 on."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"
