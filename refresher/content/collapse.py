"""Decides whether a list that lost much is believed. Pure.

GitHub sometimes shows a list empty for a moment, or only its first page, without `Link`. So a list
that collapsed is not believed until a second look says the same:

    look 1: 0 of 245 | 30 s | look 2: 245      -> nothing was lost
    look 1: 0 of 245 | 30 s | look 2: 0        -> believed: everything was deleted
    look 1: 0 of 245 | 30 s | look 2: 100      -> another loss: doubted anew, look 3 after 30 s
    look 1: 90 | look 2: 60 | ... | look 5: 5  -> it shrinks all the time: the fifth is believed

Two looks say the same if they show about the same number of items. Their ids are not compared: in a
list from which much is deleted, items still come and go.
"""

from dataclasses import dataclass, replace

from shared.suspicion import Suspicion, lost_much
from shared.time_bounds import is_past

# Collapses in a row, each to another number of items, of which the last is believed.
MOST_LOOKS = 5


@dataclass(frozen=True)
class Extent:
    """How much there is of a list.

    Args:
        items: their number.
        pages: number of GitHub's pages that hold them; 1 for an empty list.
        hidden: how many of the items are not public. They are not lost, but nobody is told of them.
    """

    items: int
    pages: int
    hidden: int = 0

    @property
    def shown(self) -> int:
        """The number of public items, which is all that is stored or told."""
        return self.items - self.hidden


@dataclass(frozen=True)
class Look:
    """What a refresh has found.

    Args:
        seen: what GitHub shows; items that it marks as private count, as it still shows them.
        ends_without_link: its last page came without `Link`, which says neither that it is the
            last one nor that there are more.
        asked_at: Unix time in seconds of the oldest request.
        ended_at: Unix time in seconds of the last response.
    """

    seen: Extent
    ends_without_link: bool
    asked_at: float
    ended_at: float


@dataclass(frozen=True)
class Judgement:
    """What to do with the content of a look.

    Args:
        suspicion: to record, instead of storing the content; None to store it.
        note: for people: what is doubted, or believed after all; empty if the look is as any other.
    """

    suspicion: Suspicion | None = None
    note: str = ""


def is_collapse(held: Extent, seen: Extent, *, ends_without_link: bool) -> bool:
    """Whether a list lost so much that a second look is needed.

    Args:
        held: what is stored, or what GitHub says elsewhere that there is.
        seen: what GitHub shows now.
        ends_without_link: as in `Look`.
    """
    lost = held.items - seen.items
    is_much = lost_much(held.items, seen.items)
    is_cut = ends_without_link and seen.pages < held.pages and lost > 0
    return is_much or is_cut


def judge(held: Extent, look: Look, suspicion: Suspicion | None) -> Judgement:
    """Whether to believe what a look shows.

    Args:
        held: what is stored, or what GitHub says elsewhere that there is.
        look: the latest.
        suspicion: of an earlier look; None if there is none.
    """
    seen = look.seen
    if not is_collapse(held, seen, ends_without_link=look.ends_without_link):
        return Judgement(note="" if suspicion is None else whole_again(seen.shown))
    shown = f"GitHub shows {_items(seen.shown)} where there were {held.shown}"
    fresh = Suspicion(look.ended_at, seen.shown, held.shown, 1, shown)
    # After a look in the future, Redis's clock was set back.
    if suspicion is None or not is_past(suspicion.at, look.ended_at):
        return Judgement(fresh, _doubted(shown))
    is_second = look.asked_at >= suspicion.look_at
    # What became private since is not another loss.
    if _is_same(suspicion.items, seen.shown) or _is_same(suspicion.items, seen.items):
        if is_second:
            apart = round(look.asked_at - suspicion.at)
            return Judgement(note=f"{shown}; believed, as a look {apart} s before showed the same")
        return Judgement(suspicion, _doubted(shown))
    looks = suspicion.looks + is_second
    if looks >= MOST_LOOKS:
        return Judgement(note=f"{shown}; believed, as it lost much in {looks} looks in a row")
    return Judgement(replace(fresh, looks=looks), _doubted(shown))


def whole_again(items: int) -> str:
    """The note of a list that a second look shows whole."""
    return f"nothing is in doubt any more: GitHub shows {_items(items)} again"


def _doubted(shown: str) -> str:
    return f"{shown}; not believed before a second look"


def _is_same(one: int, other: int) -> bool:
    """Whether two looks show about the same number of items: at most a tenth, or one, apart."""
    return abs(one - other) <= max(1, max(one, other) // 10)


def _items(number: int) -> str:
    return "1 item" if number == 1 else f"{number} items"
