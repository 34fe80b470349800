"""Attempts to deliver an event, as GitHub lists them. Pure.

https://docs.github.com/rest/apps/webhooks#list-deliveries-for-an-app-webhook
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_GUID = re.compile(r"[0-9A-Za-z-]{1,64}")  # as the receiver takes it


@dataclass(frozen=True)
class Attempt:
    """One attempt to deliver an event.

    Args:
        id: of the attempt.
        guid: of the delivery: all attempts have the same, and it is what arrives with the event.
        at: Unix time in seconds, by GitHub's clock.
        code: status of the response; 0 if GitHub names none. It is 502 or 504 if nobody answered.
    """

    id: int
    guid: str
    at: float
    code: int

    @property
    def is_success(self) -> bool:
        """Whether the receiver answered that it took the event."""
        return 200 <= self.code < 300


def attempts_in(page: Any) -> Iterator[Attempt]:
    """The attempts of one page of the list; what is malformed is left out.

    Args:
        page: the body, as JSON.
    """
    for item in page if isinstance(page, list) else ():
        try:
            number, guid = item["id"], item["guid"]
            at = datetime.fromisoformat(item["delivered_at"]).timestamp()
            code = item.get("status_code") or 0
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue
        is_sound = isinstance(number, int) and isinstance(code, int) and isinstance(guid, str)
        if is_sound and number > 0 and _GUID.fullmatch(guid):
            yield Attempt(number, guid, at, code)
