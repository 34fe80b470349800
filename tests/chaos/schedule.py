"""What is inflicted, and when: a pure function of the seed.

An episode is one to three faults that may overlap; a calm follows, in which the fleet has to
recover. Offsets are seconds of the schedule's own clock, which stands still while a recovery takes
longer than the calm.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.fakegithub.faults import FAILURES

READERS: Final = ("reader-0", "reader-1")
REFRESHERS: Final = ("refresher-0", "refresher-1", "refresher-2")
LINKS: Final = ("reader-0 link", "reader-1 link", "refreshers link", "github link")
CALM: Final = 3.0  # seconds
_GAP: Final = 1.5  # seconds between the beginnings of two faults of an episode, at the most


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Args:
        subjects: what it can befall.
        shortest: seconds that it lasts at least.
        longest: seconds that it lasts at the most.
    """

    subjects: tuple[str, ...]
    shortest: float
    longest: float


KINDS: Final[dict[str, Kind]] = {
    "kill reader process": Kind(READERS, 1, 2),
    "stop reader process": Kind(READERS, 1, 4),
    "kill reader": Kind(READERS, 1, 3),
    "kill refresher": Kind(REFRESHERS, 1, 4),
    "end refresher": Kind(REFRESHERS, 1, 4),
    "stop refresher": Kind(REFRESHERS, 4, 6),  # longer than LOCK_TTL
    "kill all refreshers": Kind(("refreshers",), 2, 5),
    "stop all refreshers": Kind(("refreshers",), 4, 6),
    "restart redis": Kind(("redis",), 1, 4),
    "crash redis": Kind(("redis",), 1, 4),
    "empty redis": Kind(("redis",), 1, 4),
    "hang redis": Kind(("redis",), 1, 5),
    "redis out of memory": Kind(("redis",), 1, 5),
    "read-only redis": Kind(("redis",), 1, 5),
    "damage types": Kind(("redis",), 1, 3),
    "damage values": Kind(("redis",), 1, 3),
    "lose expiries": Kind(("redis",), 1, 3),
    "clock jumps ahead": Kind((*READERS, *REFRESHERS), 1, 5),
    "clock jumps back": Kind((*READERS, *REFRESHERS), 1, 5),
    "restart with wrong clock": Kind((*READERS, *REFRESHERS), 1, 3),
    "cut": Kind(LINKS, 1, 2),
    "refuse": Kind(LINKS, 1, 5),
    "stall": Kind(LINKS, 1, 5),
    "delay": Kind(LINKS, 2, 5),
    "throttle": Kind(LINKS, 2, 5),
    **{f"github {kind}": Kind(("github",), 2, 5) for kind in FAILURES},
    "github absurd_headers": Kind(("github",), 2, 5),
    "github absurd_pauses": Kind(("github",), 2, 5),
}
# They need processes whose clocks can be set.
JUMPS: Final = frozenset({"clock jumps ahead", "clock jumps back"})
CLOCKS: Final = JUMPS | {"restart with wrong clock"}
# Redis answers, and refuses writes.
REFUSING: Final = frozenset({"redis out of memory", "read-only redis"})
# What no command meets of them is found when a refresher looks at all keys.
MENDED_LATER: Final = frozenset({"damage types", "lose expiries"})
PAUSING: Final = "github absurd_pauses"  # pauses for an hour, which an operator ends


@dataclass(frozen=True)
class Fault:
    """One fault: offsets in seconds of the schedule's clock."""

    kind: str
    subject: str
    at: float
    seconds: float

    @property
    def end(self) -> float:
        """When it is healed."""
        return self.at + self.seconds


@dataclass(frozen=True)
class Episode:
    """Faults that overlap, and the offset until which it is calm after them."""

    faults: tuple[Fault, ...]
    until: float


def plan(seed: int, *, seconds: float) -> list[Episode]:
    """Episodes of so many seconds; each kind comes once before any comes twice.

    The first episodes of a longer plan are those of a shorter one.
    """
    dice = random.Random(seed)
    deck: list[str] = []
    episodes: list[Episode] = []
    now = CALM
    while True:
        faults = _episode(dice, deck, now)
        until = max(fault.end for fault in faults) + CALM
        if until > seconds:
            return episodes
        episodes.append(Episode(tuple(faults), until))
        now = until


def _episode(dice: random.Random, deck: list[str], now: float) -> list[Fault]:
    taken: set[str] = set()
    faults: list[Fault] = []
    for _ in range(dice.choice((1, 2, 2, 3))):
        if not deck:
            deck += dice.sample(list(KINDS), len(KINDS))
        kind = KINDS[deck[-1]]
        free = [subject for subject in kind.subjects if not _clashes(subject, taken)]
        if not free:
            break
        subject = dice.choice(free)
        taken.add(subject)
        seconds = dice.uniform(kind.shortest, kind.longest)
        faults.append(Fault(deck.pop(), subject, round(now, 2), round(seconds, 2)))
        now += dice.uniform(0, _GAP)
    return faults


def _clashes(subject: str, taken: set[str]) -> bool:
    """Two faults of one process would heal each other."""
    if subject == "refreshers":
        return any(one.startswith("refresher-") for one in taken)
    return subject in taken or ("refreshers" in taken and subject in REFRESHERS)


def rows(episodes: Sequence[Episode]) -> list[str]:
    """The plan for a person: a fault in a line."""
    return [
        f"{fault.at:7.1f} s  for {fault.seconds:3.1f} s  {fault.kind} ({fault.subject})"
        for episode in episodes
        for fault in episode.faults
    ]
