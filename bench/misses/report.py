"""The report of the misses: tables in Markdown, the targets, and the JSON file."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.figures import Spread
from bench.misses.figures import Quantity, Sample, picked, ratio, spread
from bench.misses.measure import (
    ALONE,
    COLD,
    DELAY,
    EIGHT,
    HUNDRED,
    ONE_PATH,
    QUIET,
    SECURE,
    STALE,
    THIRTY_TWO,
    WITH_LIST,
    Results,
)
from bench.misses.servers import LIMIT, NAMES, NGINX, OURS, VARNISH, connections_of_the_limit
from bench.pages import table
from bench.tables import number

PHASES = {
    QUIET: "",
    WITH_LIST: "while a large list is refreshed",
    SECURE: "with TLS to the origin",
}
_MS = 1000 * DELAY  # the origin's own time


def rate(sample: Sample) -> float:
    """Right responses in a second."""
    return sample.per_second


def _p50(sample: Sample) -> float | None:
    return None if sample.p50 is None else sample.p50 / _MS


def p99(sample: Sample) -> float | None:
    """The 99th percentile of the times, as a multiple of the origin's own time."""
    return None if sample.p99 is None else sample.p99 / _MS


@dataclass(frozen=True)
class Target:
    """What the cache is built to reach.

    Args:
        what: in words.
        measured: median of the rounds; None if it was not measured.
        bound: what it is compared with.
        is_met: whether it is good enough.
    """

    what: str
    measured: float | None
    bound: float
    is_met: bool


def targets(samples: Sequence[Sample]) -> list[Target]:
    """All targets, those that were not measured included."""

    def to(base: str, quantity: Quantity, scenario: str, phase: str = QUIET) -> float | None:
        found = ratio(samples, quantity, of=(phase, scenario, OURS), to=(phase, scenario, base))
        return found.median if found else None

    def own(quantity: Quantity, scenario: str, phase: str = QUIET) -> float | None:
        found = spread(samples, quantity, (phase, scenario, OURS))
        return found.median if found else None

    slower = ratio(
        samples,
        p99,
        of=(WITH_LIST, THIRTY_TWO.name, OURS),
        to=(QUIET, THIRTY_TWO.name, OURS),
    )
    cold = [one for one in samples if one.server == OURS and one.scenario != STALE.name]
    failures = float(sum(sum(one.failures.values()) for one in cold)) if cold else None
    eight, many, hundred = EIGHT.name, THIRTY_TWO.name, HUNDRED.name
    return [
        _least("32 clients: responses a second, to nginx's", to(NGINX, rate, many), 0.85),
        _least("32 clients: responses a second, to Varnish's", to(VARNISH, rate, many), 0.85),
        _most("32 clients: p99, to nginx's", to(NGINX, p99, many), 1.3),
        _most("8 clients: p50, to the origin's own time", own(_p50, eight), 1.1),
        _least("100 clients: responses a second, to the limit's", to(LIMIT, rate, hundred), 0.8),
        _most("one client: p50 above the origin, ms",
              own(lambda one: one.above_p50, ALONE.name), 10),
        _most("one client, TLS: handshakes with the origin",
              own(lambda one: one.handshakes, ALONE.name, SECURE), 0),
        _most("200 clients, one path: requests at the origin", own(_asked, ONE_PATH.name), 1),
        _most("32 clients: p99 while the list is refreshed, to that without",
              slower.median if slower else None, 1.5),
        _most("failures of all misses", failures, 0),
    ]  # fmt: skip


def _least(what: str, measured: float | None, bound: float) -> Target:
    return Target(f"{what}: at least", measured, bound, measured is not None and measured >= bound)


def _most(what: str, measured: float | None, bound: float) -> Target:
    return Target(f"{what}: at most", measured, bound, measured is not None and measured <= bound)


def _asked(sample: Sample) -> float:
    return sample.asked


def _handshakes(sample: Sample) -> float:
    return sample.handshakes / max(1, sample.asked)


def tables(results: Results) -> str:
    """All tables, in Markdown."""
    samples = results.samples
    rounds = {phase: len({one.round for one in samples if one.phase == phase}) for phase in PHASES}
    processes = ", ".join(
        f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in results.processes.items()
    )
    parts = [
        f"Rounds: {rounds[QUIET]}, with TLS {rounds[SECURE]}. Ours: {processes}. The limit has "
        f"{connections_of_the_limit()} connections. Each cell is a median (least..most of the "
        "rounds).",
        "### Targets\n\n" + _targets(samples),
        "### Right responses a second, as a multiple of another's in the same round\n\n"
        + _rates(samples),
        "### Times as multiples of the origin's own time: p50, p99\n\n" + _times(samples),
        "### One client alone: milliseconds above the origin's own time: p50, p99\n\n"
        + _alone(samples),
        "### 200 clients on one path: requests at the origin\n\n" + _one_path(samples),
        "### Stale content\n\n" + _stale(samples),
        "### TLS handshakes with the origin for a miss\n\n" + _secure(samples),
        "### p99 while the list is refreshed, as a multiple of the p99 without\n\n"
        + _slower(samples),
        "### Failures and order\n\n" + _failures(samples),
        "### CPU milliseconds for a right response, 32 clients\n\n" + _cpu(samples),
    ]
    return "\n\n".join(parts)


def _targets(samples: Sequence[Sample]) -> str:
    rows = [
        (
            one.what,
            number(one.bound),
            "-" if one.measured is None else number(one.measured),
            "yes" if one.is_met else "no" if one.measured is not None else "not measured",
        )
        for one in targets(samples)
    ]
    return _table(("target", "bound", "measured", "met"), rows)


def _rates(samples: Sequence[Sample]) -> str:
    rows = []
    for phase in PHASES:
        for scenario in COLD:
            which = (phase, scenario.name, OURS)
            if not picked(samples, which):
                continue
            cells = [
                _cell(ratio(samples, rate, of=which, to=(phase, scenario.name, base)))
                for base in (NGINX, VARNISH, LIMIT)
            ]
            rows.append((_named(scenario.name, phase), *cells))
    return _table(("misses", "ours to nginx", "ours to Varnish", "ours to the limit"), rows)


def _times(samples: Sequence[Sample]) -> str:
    rows = []
    for phase in PHASES:
        for scenario in COLD:
            if picked(samples, (phase, scenario.name, OURS)):
                cells = [
                    _pair(samples, (phase, scenario.name, server), _p50, p99) for server in NAMES
                ]
                rows.append((_named(scenario.name, phase), *cells))
    return _table(("misses", *NAMES), rows)


def _alone(samples: Sequence[Sample]) -> str:
    rows = []
    for phase in PHASES:
        if picked(samples, (phase, ALONE.name, OURS)):
            cells = [
                _pair(
                    samples,
                    (phase, ALONE.name, server),
                    lambda one: one.above_p50,
                    lambda one: one.above_p99,
                )
                for server in NAMES
            ]
            rows.append((_named("misses", phase), *cells))
    return _table(("", *NAMES), rows)


def _one_path(samples: Sequence[Sample]) -> str:
    names = [name for name in NAMES if name != LIMIT]
    rows = [
        (
            _named(ONE_PATH.name, phase),
            *(_cell(spread(samples, _asked, (phase, ONE_PATH.name, name))) for name in names),
        )
        for phase in (QUIET, WITH_LIST)
    ]
    return _table(("", *names), rows)


def _stale(samples: Sequence[Sample]) -> str:
    rows = []
    for phase in (QUIET, WITH_LIST):
        at = {name: (phase, STALE.name, name) for name in NAMES}
        ratios = (ratio(samples, rate, of=at[OURS], to=at[base]) for base in (NGINX, VARNISH))
        asked = (spread(samples, _asked, at[name]) for name in (OURS, NGINX, VARNISH))
        rows.append((_named("32 clients", phase), *map(_cell, ratios), *map(_cell, asked)))
    titles = (
        *("", "responses a second, ours to nginx", "ours to Varnish"),
        *("refreshes: ours", "nginx", "Varnish"),
    )
    return _table(titles, rows)


def _secure(samples: Sequence[Sample]) -> str:
    names = [name for name in NAMES if name not in {VARNISH, LIMIT}]
    rows = [
        (scenario.name, *(_cell(spread(samples, _handshakes, (SECURE, scenario.name, name)))
                          for name in names))
        for scenario in (*COLD, ALONE)
    ]  # fmt: skip
    return _table(("", *names), rows)


def _slower(samples: Sequence[Sample]) -> str:
    rows = []
    for scenario in (*COLD, ALONE):
        cells = [
            _cell(
                ratio(
                    samples,
                    p99,
                    of=(WITH_LIST, scenario.name, name),
                    to=(QUIET, scenario.name, name),
                )
            )
            for name in NAMES
        ]
        shares = [one.list_share for one in picked(samples, (WITH_LIST, scenario.name, OURS))]
        share = _cell(Spread.of(shares)) if shares else "-"
        rows.append((scenario.name, *cells, share))
    return _table(("misses", *NAMES, "share of the time with a page under way, ours"), rows)


def _failures(samples: Sequence[Sample]) -> str:
    rows = []
    for phase in PHASES:
        for scenario in (*COLD, ALONE, ONE_PATH, STALE):
            found = picked(samples, (phase, scenario.name, OURS))
            if not found:
                continue
            requests = sum(one.right + sum(one.failures.values()) for one in found)
            overtaken = "-" if scenario is STALE else str(max(one.overtaken for one in found))
            by_server = [_outcomes(picked(samples, (phase, scenario.name, name))) for name in NAMES]
            rows.append((_named(scenario.name, phase), f"{requests:,}", overtaken, *by_server))
    titles = ("", "requests to ours", "most overtaken of ours")
    return _table((*titles, *(f"failures: {name}" for name in NAMES)), rows)


def _outcomes(found: Sequence[Sample]) -> str:
    outcomes: dict[str, int] = {}
    for sample in found:
        for outcome, times in sample.failures.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + times
    return ", ".join(f"{times:,} {outcome}" for outcome, times in outcomes.items()) or "0"


def _cpu(samples: Sequence[Sample]) -> str:
    found = [one for one in samples if one.scenario == THIRTY_TWO.name and one.right]
    kinds = list(dict.fromkeys(kind for one in found for kind in one.cpu))
    rows = []
    for phase in PHASES:
        for name in NAMES:
            which = (phase, THIRTY_TWO.name, name)
            if not picked(found, which):
                continue
            cells = [_cell(spread(found, _cpu_of(kind), which)) for kind in kinds]
            rows.append((_named(name, phase), *cells))
    return _table(("", *kinds), rows)


def _cpu_of(kind: str) -> Callable[[Sample], float | None]:
    def quantity(sample: Sample) -> float | None:
        return 1000 * sample.cpu[kind] / sample.right if kind in sample.cpu else None

    return quantity


def _named(name: str, phase: str) -> str:
    return f"{name}, {PHASES[phase]}" if PHASES[phase] else name


def _pair(
    samples: Sequence[Sample], which: tuple[str, str, str], first: Quantity, second: Quantity
) -> str:
    cells = [spread(samples, quantity, which) for quantity in (first, second)]
    return ", ".join(map(_cell, cells)) if any(cells) else "-"


def _cell(found: Spread | None) -> str:
    if found is None:
        return "-"
    if number(found.least) == number(found.most):
        return number(found.median)
    return f"{number(found.median)} ({number(found.least)}..{number(found.most)})"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of the rows in which something was measured."""
    measured = [row for row in rows if any(cell != "-" for cell in row[1:])]
    return table(titles, measured) if measured else "Not measured."


def to_json(results: Results) -> str:
    """The content of the results file."""
    found: Mapping[str, object] = {
        "processes": dict(results.processes),
        "connections of the limit": connections_of_the_limit(),
        "milliseconds of the origin": _MS,
        "samples": [sample.to_json() for sample in results.samples],
    }
    return json.dumps(found, indent=1) + "\n"


def from_json(text: str) -> Results:
    """The results in a file."""
    found = json.loads(text)
    return Results([Sample(**fields) for fields in found["samples"]], found["processes"])
