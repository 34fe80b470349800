"""The record of a list that lost much at GitHub, and is not believed until a second look.

It is stored beside the entry, which it leaves unchanged: what was stored before is served until a
second look, at least `SECOND_LOOK_S` later, says the same.

Redis may lose what there was, and with it what a list is compared with. Readers still hold it: so a
list that was stored where nothing was (`Metadata.first_at`) replaces one that lost much by it only
after a second look. Whatever a client does, it changes neither of the two.
"""

import json
import math
from dataclasses import asdict, dataclass, replace

from shared.errors import UnreadableError
from shared.time_bounds import is_past, showable

SECOND_LOOK_S = 30.0  # seconds after the first look
FEWEST_ITEMS = 10  # of a list: a shorter one can lose more than half of its items any day
_PER_PAGE = 100  # GitHub's longest page
_MOST = 1_000_000_000


def lost_much(before: int, now: int) -> bool:
    """Whether a list lost so many of its items that a second look is needed."""
    return before >= FEWEST_ITEMS and 2 * (before - now) > before


def may_be_cut(before: int, now: int) -> bool:
    """Whether a list lost much, or ends with a full page, after which others may be missing."""
    return lost_much(before, now) or (0 < now < before and now % _PER_PAGE == 0)


@dataclass(frozen=True)
class Suspicion:
    """What a look at GitHub showed that is not believed yet.

    Args:
        at: Unix time in seconds of the end of that look.
        items: that it showed.
        before: items that there were, or that there are said to be.
        looks: collapses in a row, this one included, that showed something else each time.
        reason: one line for people; never holds a secret.
    """

    at: float
    items: int
    before: int
    looks: int
    reason: str

    @property
    def look_at(self) -> float:
        """Unix time in seconds of the second look."""
        return self.at + SECOND_LOOK_S

    def holds_back(self, now: float) -> bool:
        """Whether it is too early for the second look; never because of a look in the future."""
        return is_past(self.at, now) and now < self.look_at

    def to_json(self) -> str:
        """The record as it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: bytes | str) -> "Suspicion":
        """The inverse of `to_json`.

        Raises:
            UnreadableError: the text is malformed.
        """
        try:
            suspicion = cls(**json.loads(text))
            if not suspicion._is_well_formed():
                raise UnreadableError
        except (OverflowError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UnreadableError from error
        return replace(suspicion, at=showable(suspicion.at))

    def _is_well_formed(self) -> bool:
        """Whether the values have their types; damaged ones would raise when they are used."""
        counts = (self.items, self.before, self.looks)
        return (
            isinstance(self.reason, str)
            and type(self.at) in {int, float}
            and math.isfinite(self.at)
            and all(type(one) is int and 0 <= one <= _MOST for one in counts)
        )
