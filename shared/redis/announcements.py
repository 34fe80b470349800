"""Announcements on the pub/sub channel: "check this resource", with a sequence number.

An announcement carries no content: pub/sub loses messages, so correctness must not depend on any.
"""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Announcement:
    """One message on the channel.

    Args:
        name: the name of the resource that was updated, confirmed, or failed to refresh.
        number: the value of the changes counter, which grows by one with each message.
    """

    name: str
    number: int

    def to_json(self) -> str:
        """The message; the refreshers' Lua scripts produce the same JSON inside Redis."""
        return json.dumps({"name": self.name, "number": self.number})


def parse(message: bytes) -> Announcement | None:
    """The announcement in a message; None if the message is malformed."""
    try:
        fields = json.loads(message)
        return Announcement(str(fields["name"]), int(fields["number"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
