"""What the page lists: GitHub's read operations by area, each with a word and a reason. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from reader.response.refused_paths import group_of
from shared.resources.operations import Decision, Operation


@dataclass(frozen=True)
class Row:
    """One operation.

    Args:
        path: GitHub's template.
        is_served: whether it is served.
        state: the same in a word or two.
        reason: how it is served, or why it is not.
    """

    path: str
    is_served: bool
    state: str
    reason: str


@dataclass(frozen=True)
class Area:
    """The operations whose paths begin alike.

    Args:
        id: the fragment that leads to it.
        name: what they begin with.
        rows: sorted by path.
    """

    id: str
    name: str
    rows: Sequence[Row]

    @property
    def served(self) -> int:
        """How many are served."""
        return sum(row.is_served for row in self.rows)


def areas_of(operations: Sequence[Operation]) -> list[Area]:
    """All areas, sorted by name.

    Args:
        operations: of the table.
    """
    ordered = sorted(operations, key=lambda one: (one.path.split("/")[1], one.path))
    return [
        Area(group, "/" if group == "root" else f"/{group}", [_row(one) for one in members])
        for group, members in groupby(ordered, key=group_of)
    ]


def _row(operation: Operation) -> Row:
    match operation.decision:
        case Decision.REFUSED:
            status = 401 if group_of(operation) == "user" else 403
            return Row(operation.path, False, f"no: {status}", _sentence(operation.why))
        case Decision.OWN:
            return Row(operation.path, True, "yes, by the cache", _sentence(operation.why))
        case Decision.ANONYMOUSLY:
            state = "yes, asked anonymously"
        case Decision.ANYONE:
            state = "yes"
    reasons = [operation.why]
    if operation.ask:
        reasons.append(f"{operation.ask} is asked for")
    if operation.refused_query:
        reasons.append(f"not with {', '.join(sorted(operation.refused_query))}")
    return Row(operation.path, True, state, _sentence("; ".join(reasons)))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
