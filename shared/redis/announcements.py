"""Announcements on the pub/sub channel: "check this resource", with a sequence number.

An announcement carries no content: pub/sub loses messages, so correctness must not depend on any.
"""

import json
from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True)
class Announcement:
    """One message on the channel.

    Args:
        name: the name of the resource that was updated, confirmed, or failed to refresh; empty if
            the message is about an event of GitHub's.
        number: the value of the changes counter, which grows by one with each message.
        scopes: what that event touches, see `shared.redis.event_record`.
        at: Unix time in seconds of that event.
        withdrawn: the revision of the withdrawals, if these have changed; empty otherwise.
    """

    name: str
    number: int
    scopes: tuple[str, ...] = ()
    at: float = 0.0
    withdrawn: str = ""

    def to_json(self) -> str:
        """The message; the refreshers' Lua scripts produce the same JSON inside Redis."""
        return json.dumps({"name": self.name, "number": self.number})


def parse(message: bytes) -> Announcement | None:
    """The announcement in a message; None if the message is malformed."""
    try:
        fields = json.loads(message)
        scopes = tuple(str(scope) for scope in fields.get("scopes", ()))
        name, number, at = str(fields["name"]), int(fields["number"]), float(fields.get("at", 0))
        withdrawn = str(fields.get("withdrawn", ""))
        return Announcement(name, number, scopes, at, withdrawn) if isfinite(at) else None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
