"""When a resource is looked at again after an event. Pure.

GitHub's replicas lag behind its own webhooks by seconds, so what a refresh reads just after an
event may be the content from before it. A look is one refresh. The first comes at once, further
ones after `LOOKS_S`, whatever the earlier ones said; a later event begins anew. Only the look after
`LAST_S` ends the invalidation:

    event | look: replica A, old content | 1 s, look: B, new content | 2, 4, 7, 10 s: the same

Where GitHub names what has changed, a look at a list requests the pages that hold it. A reading of
all pages during these seconds may have mixed pages of several replicas:

    an item is added | page 1 of A, which has it: the last item has moved to page 2
    page 2 of B, from before: that item is on no page

So if such a reading has found other items, or another order, the list is `unsettled` until `LAST_S`
after the event: a look from then on requests all pages, as do those of short lists after half of
that time.

Tracked resources are looked at by themselves. Others are looked at only if somebody requests them:
their content is stale until the last look.
"""

from dataclasses import dataclass, replace

from shared.time_bounds import time_of

LOOKS_S = (1.0, 2.0, 4.0, 7.0, 10.0)  # seconds after the event
LAST_S = LOOKS_S[-1]
# Looks at a resource are at least this far apart, in seconds.
APART_S = 1.0
# Pages of a list that is looked at as a whole before `unsettled_until`, and seconds before it.
_FEW_PAGES = 10
_FEW_BEFORE_S = 6.0


@dataclass(frozen=True)
class Looks:
    """The looks at a resource that an event has made necessary.

    Args:
        event_at: Unix time in seconds of the latest event.
        next_at: Unix time in seconds of the next look.
        unsettled_until: Unix time in seconds from which a look requests all pages of a list; 0 if
            its pages are known to belong together.
    """

    event_at: float
    next_at: float
    unsettled_until: float = 0.0

    def is_due(self, now: float) -> bool:
        """Whether a look is due; also if Redis's clock was set back since the look was planned."""
        return not now < self.next_at <= now + LAST_S

    def is_last(self, looked_at: float) -> bool:
        """Whether a look that began at this Unix time (seconds) is the last one."""
        return looked_at >= self.event_at + LAST_S

    def is_whole(self, now: float, *, pages: int) -> bool:
        """Whether a look requests all pages of a list, whatever events have named.

        Args:
            now: Unix time in seconds.
            pages: of the list.
        """
        if not self.unsettled_until:
            return False
        since = self.unsettled_until - (_FEW_BEFORE_S if pages <= _FEW_PAGES else 0)
        return not now < since <= now + LAST_S

    def settled_by(self, looked_at: float, *, is_shifted: bool, is_page_look: bool) -> "Looks":
        """The same looks after a reading of a list.

        Args:
            looked_at: Unix time in seconds of its oldest request.
            is_shifted: it has found other items, or another order.
            is_page_look: it has requested only the pages that events had named.
        """
        if is_shifted and looked_at < self.event_at + LAST_S:
            return replace(self, unsettled_until=self.event_at + LAST_S)
        is_settled = not is_page_look and looked_at >= self.unsettled_until
        return replace(self, unsettled_until=0.0) if is_settled else self

    def after(
        self, looked_at: float, now: float, *, is_anonymous: bool, is_tracked: bool
    ) -> "Looks | None":
        """The looks that are left after one; None after the last.

        Args:
            looked_at: Unix time in seconds of its oldest request.
            now: Unix time in seconds.
            is_anonymous: it was sent without a credential: each costs a point of 60 an hour, so
                only the last one follows.
            is_tracked: the resource is tracked.
        """
        event_at = min(self.event_at, now)  # Redis's clock was set back since
        if looked_at >= event_at + LAST_S:
            return None
        last = event_at + LAST_S
        planned = [event_at + after for after in LOOKS_S if event_at + after > looked_at]
        next_at = last if is_anonymous else (planned[0] if is_tracked else now)
        return Looks(event_at, max(next_at, now + APART_S), self.unsettled_until)

    def to_text(self) -> str:
        """The record as it is stored."""
        return f"{self.event_at:.3f} {self.next_at:.3f} {self.unsettled_until:.3f}"

    @classmethod
    def from_text(cls, text: bytes | None) -> "Looks | None":
        """The inverse of `to_text`; None if nothing is stored, or if it is damaged."""
        parts = (text or b"").split()
        return cls(*map(time_of, parts)) if len(parts) in {2, 3} else None
