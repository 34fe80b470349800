"""The report: targets, tables in Markdown, and the JSON file."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from bench.change.figures import CHANGED, FIRST, ONES, STEADY, Node, Plan, Results, Sample
from bench.pages import table
from bench.tables import number

NOW, BEFORE = "now", "before"
SMALLEST, LARGE = 250, 7000  # the sizes of the targets
Quantity = Callable[[Sample], float | None]


@dataclass(frozen=True)
class Column:
    """A column of the tables: its title, its quantity, and which round counts."""

    title: str
    of: Quantity
    choose: Callable[[Sequence[float]], float] = median


REQUESTS = Column("requests at GitHub", lambda one: one.requests)
POINTS = Column("points", lambda one: one.points)
CPU = Column("refresher CPU, s", lambda one: one.cpu)
MEMORY = Column("refresher memory, MB", lambda one: one.memory / 1e6, max)
SENT = Column("kB from Redis for a process", lambda one: one.sent / 1e3)
VISIBLE = Column("visible after, s", lambda one: one.visible)
P99 = Column("small hits: p99, ms", lambda one: one.p99)
LONGEST = Column("longest, ms", lambda one: one.longest, max)
COLUMNS = (REQUESTS, POINTS, CPU, MEMORY, SENT, VISIBLE, P99, LONGEST)


@dataclass(frozen=True)
class Target:
    """What the cache is built to reach; `measured` is None if it was not measured."""

    what: str
    measured: float | None
    bound: float

    @property
    def met(self) -> str:
        """Whether it is reached."""
        if self.measured is None:
            return "not measured"
        return "yes" if self.measured <= self.bound else "no"


def figure(samples: Sequence[Sample], column: Column, which: tuple[str, int, str]) -> float | None:
    """A column's figure of a code, a size and an event; None if it was not measured."""
    found = [column.of(one) for one in samples if (one.code, one.repositories, one.event) == which]
    known = [value for value in found if value is not None]
    return column.choose(known) if known else None


def ratio(value: float | None, base: float | None) -> float | None:
    """One figure as a multiple of another; None if one of them was not measured."""
    return value / base if value is not None and base else None


def targets(results: Results) -> list[Target]:
    """All targets, those that were not measured included."""

    def large(column: Column, event: str = CHANGED, code: str = NOW) -> float | None:
        return figure(results.samples, column, (code, LARGE, event))

    def flat(column: Column, event: str = CHANGED) -> float | None:
        small = figure(results.samples, column, (NOW, SMALLEST, event))
        return ratio(large(column, event), small)

    def to_before(column: Column) -> float | None:
        return ratio(large(column, FIRST), large(column, FIRST, BEFORE))

    nodes = [one for one in results.nodes if (one.code, one.repositories) == (NOW, LARGE)]
    to_list = nodes[0].memory / nodes[0].size if nodes else None
    at, to = f"at {LARGE:,}", f"at {LARGE:,} to that at {SMALLEST}"
    return [
        # One more if the last page is full, as it is at 7,000: another may follow.
        Target(f"requests at GitHub {at}", large(REQUESTS), 2),
        Target(f"requests {to}", flat(REQUESTS), 2),
        Target(f"refresher CPU {at}, s", large(CPU), 0.1),
        Target(f"refresher CPU {to}", flat(CPU), 2),
        Target(f"refresher memory {at}, MB", large(MEMORY), 20),
        Target(f"refresher memory {to}", flat(MEMORY), 2),
        Target(f"bytes out of Redis for a process {at}, kB", large(SENT), 100),
        Target(f"bytes out of Redis {to}", flat(SENT), 2),
        Target(f"one change a second: visible {at}, p99, s", large(VISIBLE, STEADY), 1),
        Target(f"one change a second: visible {to}", flat(VISIBLE, STEADY), 1.5),
        Target(f"longest stall of small hits {at}, ms", large(LONGEST), 5),
        Target(f"memory of a node {at}, to the list's size", to_list, 1.5),
        Target(f"first look {at}: seconds, to those before", to_before(VISIBLE), 1),
        Target(f"first look {at}: refresher memory, to that before", to_before(MEMORY), 1),
    ]


def tables(results: Results, plan: Plan) -> str:
    """All tables, in Markdown."""
    parts = [
        f"Rounds of each change: {plan.rounds}; one change a second for {plan.seconds} s; "
        f"{plan.rate:.0f} small requests a second. Each cell is the median of the rounds; memory "
        "and longest times are the most of them.",
        "### Targets, for one changed item\n\n" + _targets(results),
        *(f"### {event.capitalize()}\n\n{_event(results.samples, event)}"
          for event in (*ONES, STEADY, FIRST)),
        "### A node of four processes after all changes\n\n" + _nodes(results.nodes),
    ]  # fmt: skip
    return "\n\n".join(parts)


def _targets(results: Results) -> str:
    rows = [(one.what, _cell(one.bound), _cell(one.measured), one.met) for one in targets(results)]
    return table(("target", "at most", "measured", "met"), rows)


def _event(samples: Sequence[Sample], event: str) -> str:
    places = dict.fromkeys((one.repositories, one.code) for one in samples)
    rows = []
    for size, code in places:
        cells = [_cell(figure(samples, column, (code, size, event))) for column in COLUMNS]
        rows.append((f"{size:,}", code, *cells))
    return table(("repositories", "code", *(column.title for column in COLUMNS)), rows)


def _nodes(nodes: Sequence[Node]) -> str:
    rows = [
        (f"{one.repositories:,}", one.code,
         *map(_cell, (one.size / 1e6, one.memory / 1e6, one.memory / one.size, one.p99,
                      one.longest)))
        for one in nodes
    ]  # fmt: skip
    titles = ("list, MB", "memory above idle, MB", "to the list's size")
    quiet = ("small hits, nothing changes: p99, ms", "longest, ms")
    return table(("repositories", "code", *titles, *quiet), rows)


def _cell(value: float | None) -> str:
    return "-" if value is None else number(value)


def to_json(results: Results) -> str:
    """The content of the results file, with few digits."""
    found = {
        name: [{key: _rounded(value) for key, value in asdict(one).items()} for one in figures]
        for name, figures in vars(results).items()
    }
    return json.dumps(found, indent=1) + "\n"


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def from_json(text: str) -> Results:
    """The results in a file."""
    found = json.loads(text)
    return Results(
        [Sample(**fields) for fields in found["samples"]],
        [Node(**fields) for fields in found["nodes"]],
    )
