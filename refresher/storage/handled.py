"""What a refresh has done about the invalidation that there was when it began."""

import json
import math
from dataclasses import dataclass

from shared.invalidation import ANEW
from shared.looks import LAST_S, Looks
from shared.marking import REMEMBER_S, member_of
from shared.redis import keys
from shared.resources.resource import Resource

# Seconds for which replaced content is remembered: longer than until the last look.
_REMEMBER_REPLACED_S = 60


@dataclass(frozen=True)
class Replaced:
    """Content that GitHub's replicas may still show, although a look has replaced it.

    Args:
        etag: of the content.
        until: Unix time in seconds of the first look that is believed if it shows it again.
    """

    etag: str
    until: float


@dataclass(frozen=True)
class Handled:
    """An invalidation that a refresh has handled, and the looks that follow.

    Args:
        mark: `EntryState.invalidated_by` from before GitHub was asked; None for none.
        looks: that are left; None if the invalidation is done with.
        looked_at: Unix time in seconds of the oldest request: items that events named `LAST_S`
            before it are done with.
        replaced: content that the refresh replaces; None if nothing has to be remembered.
    """

    mark: str | None
    looks: Looks | None = None
    looked_at: float = -math.inf
    replaced: Replaced | None = None

    def to_json(self, resource: Resource) -> str:
        """The argument of the scripts of writes; empty if there is nothing to do."""
        if self.mark is None:
            return ""
        done = self.looked_at - LAST_S
        replaced = self.replaced
        return json.dumps(
            {
                "mark": self.mark,
                "anew": ANEW,
                "remember": REMEMBER_S,
                "done": "-inf" if done == -math.inf else f"{done:.3f}",
                "looks": "" if self.looks is None else self.looks.to_text(),
                "unsettled": self._unsettled,
                "next": "" if self.looks is None else f"{self.looks.next_at:.3f}",
                "all": keys.LOOKS,
                "member": member_of(resource),
                "replaced": "" if replaced is None else replaced.etag,
                "until": "" if replaced is None else f"{replaced.until:.3f}",
                "remember_replaced": _REMEMBER_REPLACED_S,
            }
        )

    @property
    def _unsettled(self) -> str:
        until = 0.0 if self.looks is None else self.looks.unsettled_until
        return f"{until:.3f}" if until else ""


NOTHING_HANDLED = Handled(None)
