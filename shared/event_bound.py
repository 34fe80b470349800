"""How GitHub's events bound the freshness of on-demand content. Pure.

Content from before the last event that touches it is stale from then on. GitHub's replicas lag
behind its webhooks, so content that was requested less than `SETTLE_S` after the event becomes
stale once more when that time is over. Nobody fetches anything until a client requests it; that
client waits for the answer.
"""

from dataclasses import replace
from typing import Any

from shared.entry import Metadata
from shared.time_bounds import is_past

# Seconds after an event for which GitHub's replicas may show what was there before it.
SETTLE_S = 10.0


def last_event(reply: Any, now: float) -> float:
    """The last event in the reply to `ZMSCORE`; 0 if there was none, or the record is damaged.

    Args:
        reply: of Redis: a number or nothing for each scope.
        now: Unix time in seconds.
    """
    if not isinstance(reply, list):
        return 0.0
    times = [float(one) for one in reply if one is not None]
    return max((time for time in times if is_past(time, now)), default=0.0)


def bounded_by_event(metadata: Metadata, event_at: float) -> Metadata:
    """The metadata of an on-demand entry, fresh for no longer than the last event lets it be.

    Args:
        metadata: of the entry.
        event_at: Unix time in seconds of the last event that touches it; 0 for none.
    """
    if not event_at or metadata.validated_at >= event_at + SETTLE_S:
        return metadata
    until = event_at if metadata.validated_at < event_at else event_at + SETTLE_S
    return replace(metadata, fresh_until=min(metadata.fresh_until, until), is_awaited=True)
