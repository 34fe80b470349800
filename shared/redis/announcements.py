"""What is said on the pub/sub channel: "look at this resource again", and how often it was said.

An announcement carries no content: pub/sub loses messages, so none may be needed for being right.
"""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Announcement:
    """One message on the channel.

    Args:
        name: the name of the resource that was updated, confirmed, or failed to refresh.
        number: the value of the changes counter; the next message's is one more.
    """

    name: str
    number: int

    def to_json(self) -> str:
        """The message; the refreshers' scripts spell it the same, inside Redis."""
        return json.dumps({"name": self.name, "number": self.number})


def parse(message: bytes) -> Announcement | None:
    """The announcement in a message; None for one that is not ours to understand."""
    try:
        fields = json.loads(message)
        return Announcement(str(fields["name"]), int(fields["number"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
