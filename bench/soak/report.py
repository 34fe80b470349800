"""The report of a soak: JSON file, tables, and problems."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.figures import Spread, percentile
from bench.pages import table
from bench.soak.figures import (
    Request,
    Times,
    by_phase,
    cost_of_slow_clients,
    errors,
    keeps_growing,
    lives,
    mean_shares,
    ratios,
)
from bench.soak.request_mix import COLD, HEALTH, HELD
from bench.soak.samples import Sample
from bench.soak.shape import RELOAD, Shape
from bench.tables import number
from reader.front.connection_limits import REQUEST_TIMEOUT

COMMAND = "make bench-soak"
GRACE = 5.0  # seconds beyond a time limit that a reader may take to keep it
_PROBE_TIMEOUT = 1000.0  # milliseconds; Kubernetes's default for probes
_LATE = 10.0  # milliseconds; a larger delay of the generator distorts the times
_SPARE_FILES = 20  # of all reader processes, may stay open after all clients have left


@dataclass(frozen=True)
class Plan:
    """The extent of a run.

    Args:
        minutes: length of the compressed hour.
        rate: requests a second of well-behaved clients at the usual level.
        connections: of well-behaved clients.
        slow_clients: number of slow and rude clients at a time.
        is_quick: whether the run is too short to judge times by.
    """

    minutes: float = 5.0
    rate: float = 400.0
    connections: int = 1000
    slow_clients: int = 300
    is_quick: bool = False

    @property
    def shape(self) -> Shape:
        """The shape of the hour."""
        return Shape(self.minutes, self.rate)


@dataclass(frozen=True)
class Soak:
    """All results.

    Args:
        requests: of the well-behaved clients.
        counts: of their connections.
        slow_clients: results of the slow clients, as `slow_clients` prints them.
        samples: one a second.
        files_before: files that all reader processes had open before the clients connected.
        files_after: the same after all have left.
        up_to_date: whether readers served GitHub's content at the end.
    """

    plan: Plan
    requests: Sequence[Request]
    counts: Mapping[str, int]
    slow_clients: Mapping[str, Any]
    samples: Sequence[Sample]
    files_before: int
    files_after: int
    up_to_date: bool

    def group(self, group: str) -> list[Request]:
        """The requests of a group."""
        return [one for one in self.requests if one.group == group]

    @property
    def cut_short(self) -> list[float]:
        """Times at which slow readers were cut short, except by the reload.

        Clients of a process that ended notice it late: the kernel still sends its buffer.
        """
        reload = self.plan.shape.phases()[RELOAD][0]
        return [
            at
            for asked, at in self.slow_clients["cut"]
            if not asked <= reload + GRACE <= at + GRACE
        ]

    @property
    def longest_head(self) -> float:
        """Longest time in seconds until a slow sender was disconnected; 0 if none was."""
        return max((after for _, after, _ in self.slow_clients["sent_away"]), default=0.0)


def wrong(soak: Soak) -> list[str]:
    """The problems, a sentence each."""
    found = [f"{count} x {what}" for what, count in errors(soak.requests).items()]
    if soak.counts["connections turned away"]:
        found.append(f"{soak.counts['connections turned away']} x connection turned away with 503")
    for pid, seen in lives(soak.samples).items():
        if keeps_growing([rss for _, rss in seen]):
            found.append(f"the memory of process {pid} keeps growing")
    if soak.files_after > soak.files_before + _SPARE_FILES:
        found.append(f"{soak.files_after} files open at the end, {soak.files_before} before")
    if soak.cut_short:
        found.append(f"{len(soak.cut_short)} slow readers were cut short")
    if soak.slow_clients["not_given_up"]:
        found.append(f"{soak.slow_clients['not_given_up']} stalled clients were not disconnected")
    if soak.longest_head > REQUEST_TIMEOUT + GRACE:
        found.append(f"a slow sender was tolerated for {soak.longest_head:.0f} s")
    if not soak.up_to_date:
        found.append("readers do not serve GitHub's content")
    if not soak.plan.is_quick:
        for name, of_phase in by_phase(soak.group(HEALTH), soak.plan.shape).items():
            times = Times.of(of_phase)
            if times and times.p99 > _PROBE_TIMEOUT:
                found.append(f"{name}: the p99 of health checks is {times.p99:.0f} ms")
    return found


def tables(soak: Soak) -> str:
    """All tables, in Markdown."""
    return "\n\n".join([_latency(soak), _ratios(soak), _limits(soak), _machine(soak)])


def _latency(soak: Soak) -> str:
    titles = (
        *("phase", "requests", "p50", "p99", "p99.9", "worst", "health p99", "health worst"),
        *("errors", "cold 503"),
    )
    rows = []
    shape = soak.plan.shape
    held, health = (by_phase(soak.group(group), shape) for group in (HELD, HEALTH))
    cold, everything = by_phase(soak.group(COLD), shape), by_phase(soak.requests, shape)
    for name in shape.phases():
        times, probes = Times.of(held[name]), Times.of(health[name])
        refused = sum(one.outcome == "503" for one in cold[name])
        rows.append(
            (
                name,
                f"{len(everything[name]):,}",
                *_cells(times, "p50", "p99", "p999", "worst"),
                *_cells(probes, "p99", "worst"),
                "; ".join(f"{n} {what}" for what, n in errors(everything[name]).items()) or "0",
                str(refused),
            )
        )
    return "Milliseconds, of well-behaved clients.\n\n" + table(titles, rows)


def _cells(times: Times | None, *names: str) -> list[str]:
    return ["-" if times is None else number(getattr(times, name)) for name in names]


def _ratios(soak: Soak) -> str:
    rows = [
        (name.replace("p999", "p99.9"), _spread(spread))
        for name, spread in ratios(soak.requests, soak.plan.shape).items()
    ]
    return (
        "Times of well-behaved clients with slow and rude clients, as a multiple of those without: "
        "median, least and most of the pairs of windows.\n\n"
        + table(("held content", "with / without"), rows)
    )


def _spread(spread: Spread) -> str:
    return f"{number(spread.median)} ({number(spread.least)}..{number(spread.most)})"


def _limits(soak: Soak) -> str:
    met, plan = soak.slow_clients, soak.plan
    cost = cost_of_slow_clients(soak.samples, plan.shape, plan.slow_clients)
    after = [one for _, one, _ in met["sent_away"]]
    statuses = sum(status == 408 for _, _, status in met["sent_away"])
    rows = [
        ("slow readers' complete responses", f"{met['whole']:,}"),
        ("cut short by the reload, after its graceful time",
         str(len(met["cut"]) - len(soak.cut_short))),
        ("cut short otherwise", str(len(soak.cut_short))),
        ("stalled clients disconnected; not disconnected",
         f"{met['given_up']}; {met['not_given_up']}"),
        ("slow senders and silent clients disconnected; with a 408", f"{len(after)}; {statuses}"),
        ("seconds until then, p50 and most",
         f"{percentile(after, 50):.1f}, {max(after):.1f}" if after else "the run was too short"),
        ("clients that left in a request; in a response",
         f"{met['left']['in a request']:,}; {met['left']['in a response']:,}"),
        ("kB of reader processes for each slow or rude client, at most",
         "-" if cost is None else f"{cost['reader'] / 1000:.1f}"),
        ("kB of the kernel for each, both ends",
         "-" if cost is None else f"{cost['kernel'] / 1000:.1f}"),
        ("open files of reader processes before; after all had left",
         f"{soak.files_before}, {soak.files_after}"),
        *((f"well-behaved: {what}", f"{count:,}") for what, count in soak.counts.items()),
    ]  # fmt: skip
    return table(("quantity", "value"), rows)


def _machine(soak: Soak) -> str:
    shape = soak.plan.shape
    found = by_phase(soak.requests, shape)
    rows, names = [], ("readers", "steady_clients", "slow_clients", "Redis", "GitHub", "refresher")
    for name in shape.phases():
        times = Times.of(found[name])
        windows = [mean_shares(soak.samples, window) for window in shape.windows(name)]
        windows = [one for one in windows if one]
        shares = [
            f"{sum(one.get(group, 0.0) for one in windows) / len(windows):.0%}" if windows else "-"
            for group in names
        ]
        late = "-" if times is None else number(times.generator_p99)
        mark = " *" if times is not None and times.generator_p99 > _LATE else ""
        rows.append((name, *shares, late + mark))
    return (
        "Share of a core that each used, and the load generator's own delay in milliseconds (p99), "
        f"which is part of the times above. Above {_LATE:.0f} ms (*) the times also measure the "
        "limits of the machine.\n\n"
        + table(("phase", *(name.replace("_", " ") for name in names), "generator delay"), rows)
    )


def to_json(soak: Soak) -> str:
    """The figures and the data of the plot: one entry a second, not a request."""
    shape = soak.plan.shape
    held = soak.group(HELD)
    seconds: dict[int, list[Request]] = {}
    for one in held:
        seconds.setdefault(int(one.due), []).append(one)
    timeline = {second: Times.of(of_second) for second, of_second in sorted(seconds.items())}
    phases = by_phase(held, shape)
    return (
        json.dumps(
            {
                "plan": asdict(soak.plan),
                "wrong": wrong(soak),
                "slow_clients": {
                    **soak.slow_clients,
                    "sent_away": len(soak.slow_clients["sent_away"]),
                },
                "phases": {name: _fields(Times.of(found)) for name, found in phases.items()},
                "ratios": {name: asdict(one) for name, one in ratios(held, shape).items()},
                "seconds": {second: _fields(times) for second, times in timeline.items()},
                "samples": [_rounded(sample) for sample in soak.samples],
            }
        )
        + "\n"
    )


def _fields(times: Times | None) -> dict[str, float] | None:
    if times is None:
        return None
    return {name: round(value, 3) for name, value in asdict(times).items()}


def _rounded(sample: Sample) -> dict[str, Any]:
    shares = {name: round(share, 3) for name, share in sample.shares.items()}
    return {**asdict(sample), "at": round(sample.at, 2), "shares": shares}
