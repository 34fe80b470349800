"""The list of repositories in pages of six: what may be held of it while it changes between pages.

A reading of several pages may show items of different moments, as GitHub's pages do
(`docs/promises.md`, 3). So no moment has the whole; but each item was as it is shown, at some time
of the reading, none is there twice, and what was there all the time is not missing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from unittest.mock import patch

from refresher import second_look
from refresher.content import pagination
from refresher.drift import samples
from shared import suspicion

SIZES = (100, 100, 6)  # items of a page; the model has 16 repositories
# Seconds for which an item must have been there: one that came since the last reading may be missed
# (`list_consistency`), and one that a lost event has made public again is shown after two readings.
_SETTLED_S = 130.0


@contextmanager
def pages_of(size: int) -> Iterator[None]:
    """Let lists have so many items on a page inside the block."""
    with ExitStack() as stack:
        for module in (pagination, samples, second_look):
            stack.enter_context(patch.object(module, "PER_PAGE", size))
        stack.enter_context(patch.object(suspicion, "_PER_PAGE", size))
        yield


def size_for(seed: str) -> int:
    """The items of a page in the run of a seed."""
    return Random(f"{seed}:pages").choice(SIZES)


@dataclass
class Truth:
    """What GitHub had, and since when.

    Args:
        times: virtual seconds.
        values: at the same places.
    """

    times: list[float] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def note(self, now: float, value: Any) -> None:
        """Note the present value."""
        if not self.values or self.values[-1] != value:
            self.times.append(now)
            self.values.append(value)

    def places(self, value: Any) -> list[int]:
        """The places at which it had a value."""
        return [at for at, one in enumerate(self.values) if one == value]

    def ended(self, place: int) -> float:
        """When a value was replaced; infinity for the present one."""
        return self.times[place + 1] if place + 1 < len(self.times) else float("inf")

    def was_there(self, since: float) -> bool:
        """Whether there was something all the time since then."""
        return self.times[0] <= since and all(
            value is not None or self.ended(at) < since for at, value in enumerate(self.values)
        )


def wrong_in(
    value: Sequence[Sequence[Any]],
    truth_of: Callable[[str], Truth | None],
    names: Sequence[str],
    *,
    since: float,
    may_miss: bool,
) -> str:
    """What is wrong with a list; empty if nothing is.

    Args:
        value: its items: id, name, and what else is compared.
        truth_of: returns the truth of one, by its name.
        names: of all that there are.
        since: virtual seconds from which it was read, at the earliest.
        may_miss: items may be missing for now.
    """
    shown = {one[1] for one in value}
    if len(shown) < len(value):
        return "has an item twice"
    for one in value:
        truth = truth_of(one[1])
        places = [] if truth is None else truth.places(list(one))
        if truth is None or not places:
            return f"has an item that never was so: {one}"
        if truth.ended(places[-1]) < since:
            return (
                f"has {one[1]} as it was until {truth.ended(places[-1]):.2f}, read at {since:.2f}"
            )
    for name in () if may_miss else names:
        truth = truth_of(name)
        if name not in shown and truth is not None and truth.was_there(since - _SETTLED_S):
            return f"lacks {name}, read at {since:.2f}"
    return ""


def wrong_names_in(value: Sequence[str], truth: Truth, *, since: float, may_miss: bool) -> str:
    """The same for a list of names, of which the truth is that of the whole list."""
    if len(set(value)) < len(value):
        return "has an item twice"
    shown = [set(one) for at, one in enumerate(truth.values) if truth.ended(at) >= since]
    for name in value:
        if not any(name in one for one in shown):
            return f"has {name}, read at {since:.2f}"
    settled = [
        set(one) for at, one in enumerate(truth.values) if truth.ended(at) >= since - _SETTLED_S
    ]
    missing = () if may_miss else sorted(set.intersection(*settled) - set(value))
    return f"lacks {missing[0]}, read at {since:.2f}" if missing else ""


def goes_back(before: Sequence[Sequence[Any]], after: Sequence[Sequence[Any]]) -> str:
    """The name of an item that is older than before; empty if none is."""
    known: Mapping[Any, Any] = {one[1]: one[-1] for one in before}
    return next((one[1] for one in after if known.get(one[1], "") > one[-1]), "")
