"""The data that the status page is made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reader.fleet.view import Fleet, TrackedView
from shared.redis.trouble import Refusing
from shared.settings import Settings

# A part of the page, as `/status.json` sends it.
JsonObject = dict[str, Any]

NOTHING = "\u2013"  # stands for a value that is missing


@dataclass(frozen=True)
class PageInput:
    """The state of the fleet, and of the reader that serves the page.

    Args:
        now: Unix time in seconds.
        fleet: from Redis; None while Redis is unavailable.
        held: the tracked resources in this reader's memory.
        away_since: Unix time in seconds since when Redis has not responded; None if it responds.
        reader: host and port of this reader.
        settings: of this reader.
        refusing: why Redis refuses this reader's writes; None if it takes them.
        is_operator: the viewer holds `ADMIN_TOKEN`, and so may see addresses of clients, and where
            GitHub refuses a credential.
    """

    now: float
    fleet: Fleet | None
    held: Sequence[TrackedView]
    away_since: float | None
    reader: str
    settings: Settings
    refusing: Refusing | None = None
    is_operator: bool = False
