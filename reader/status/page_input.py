"""What the page is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reader.fleet.snapshot import Fleet, TrackedView
from shared.settings import Settings

# A row of the page, as JSON has it.
Shown = dict[str, Any]

NOTHING = "\u2013"


@dataclass(frozen=True)
class PageInput:
    """What is known when somebody looks.

    Args:
        now: Unix time in seconds.
        fleet: what Redis knows; None while it is away.
        held: the tracked resources in the memory of the reader that was asked.
        away_since: Unix time in seconds since when Redis does not answer that reader.
        reader: what that reader is called.
        settings: of that reader.
    """

    now: float
    fleet: Fleet | None
    held: Sequence[TrackedView]
    away_since: float | None
    reader: str
    settings: Settings
