"""Which deliveries were lost, and which of them GitHub is asked for now. Pure.

A delivery has arrived if a reader remembers its id, whatever GitHub says: GitHub gives a receiver
ten seconds, and calls everything later a failure. If no reader remembers it, it was lost: GitHub
got no response, or an error, or somebody else answered. Only where nothing is known from before,
at the very first look, is GitHub's word taken that a delivery succeeded.

It is asked for at once, and then, if it does not arrive, after 2, 4, 8 and 16 intervals:
`MOST_TRIES` times in all. Once a newer delivery has arrived, the receiver can be reached again, and
all are asked for that have failed meanwhile.

All times that are compared with GitHub's are GitHub's own: a wrong clock of ours changes nothing.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from refresher.deliveries.attempts import Attempt

MOST_TRIES = 5
MOST_WAITING = 100  # more lost deliveries of a webhook are not asked for one by one
MOST_KEPT = 1000  # with those that were given up
REMEMBERED_S = 3 * 24 * 3600.0  # so long GitHub offers redelivery


@dataclass(frozen=True)
class Lost:
    """A delivery that was lost.

    Args:
        id: of its newest attempt.
        at: time of that attempt, by GitHub's clock.
        code: that attempt's status.
        tries: how often GitHub was asked to send it again.
        asked: Unix time in seconds of the last time, by Redis's clock.
        asked_id: the newest attempt at that time.
        is_given_up: it is not asked for any more.
    """

    id: int
    at: float
    code: int
    tries: int = 0
    asked: float = 0.0
    asked_id: int = 0
    is_given_up: bool = False

    def to_json(self) -> str:
        """The record as it is stored."""
        return json.dumps(asdict(self))

    def asked_again(self, now: float) -> "Lost":
        """The record after one more try."""
        return replace(self, tries=self.tries + 1, asked=now, asked_id=self.id)

    def has_failed_again(self) -> bool:
        """Whether GitHub lists an attempt since the last try."""
        return self.id != self.asked_id

    def is_overdue(self, now: float, interval: float) -> bool:
        """Whether the pause after the last try is over, also by a clock that was set back."""
        return not 0 <= now - self.asked < interval * 2**self.tries


def lost_from(text: bytes) -> Lost | None:
    """The stored record; None if it is damaged."""
    try:
        return Lost(**json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return None


@dataclass(frozen=True)
class Judged:
    """What a look has shown.

    Args:
        lost: the deliveries to remember, by their ids.
        found: how many of them were not known before.
        healed: ids of those that have arrived since.
        given_up: number of those that are given up now.
    """

    lost: Mapping[str, Lost]
    found: int
    healed: Sequence[str]
    given_up: int

    @property
    def waiting(self) -> Mapping[str, Lost]:
        """Those that are asked for again."""
        return {guid: one for guid, one in self.lost.items() if not one.is_given_up}


def judge(
    attempts: Sequence[Attempt],
    known: Mapping[str, Lost],
    arrived: Collection[str],
    *,
    is_first: bool,
    newest: float,
) -> Judged:
    """Judge what GitHub lists.

    Args:
        attempts: since the last look, or before, in any order.
        known: what was lost before, by id.
        arrived: ids of those deliveries that a reader remembers.
        is_first: nothing is known from before.
        newest: time of the newest attempt that GitHub has listed so far, by its clock.
    """
    lost, healed, found = dict(known), [], 0
    succeeded = {one.guid for one in attempts if one.is_success} if is_first else set()
    newest_of: dict[str, Attempt] = {}
    for one in sorted(attempts, key=lambda one: one.id):
        newest_of[one.guid] = one
    for guid in sorted({*known, *newest_of}):
        if guid in arrived or guid in succeeded:
            if lost.pop(guid, None) is not None:
                healed.append(guid)
            continue
        if guid not in known:
            found += 1
        if guid in newest_of:
            lost[guid] = _with_newest(lost.get(guid), newest_of[guid])
    return Judged(_bounded(lost, newest), found, healed, 0)


def gave_up(judged: Judged, *, now: float, interval: float) -> Judged:
    """The same, with those given up for which GitHub was asked too often in vain."""
    lost, number = dict(judged.lost), 0
    for guid, one in judged.waiting.items():
        is_over = one.has_failed_again() or one.is_overdue(now, interval)
        if one.tries >= MOST_TRIES and is_over:
            lost[guid] = replace(one, is_given_up=True)
            number += 1
    return replace(judged, lost=lost, given_up=number)


def due(
    waiting: Mapping[str, Lost], *, last_success: float, now: float, interval: float
) -> Iterator[str]:
    """The ids of the deliveries that GitHub is asked for now, the oldest first.

    Args:
        waiting: lost deliveries that are not given up.
        last_success: time of the newest attempt that succeeded, by GitHub's clock; 0 for none.
        now: Unix time in seconds, by Redis's clock.
        interval: seconds between two looks.
    """
    for guid, one in sorted(waiting.items(), key=lambda pair: pair[1].at):
        is_reachable = one.has_failed_again() and last_success > one.at
        if one.tries == 0 or one.is_overdue(now, interval) or is_reachable:
            yield guid


def _with_newest(known: Lost | None, attempt: Attempt) -> Lost:
    if known is None:
        return Lost(attempt.id, attempt.at, attempt.code)
    if attempt.id <= known.id:
        return known
    return replace(known, id=attempt.id, at=attempt.at, code=attempt.code)


def _bounded(lost: Mapping[str, Lost], newest: float) -> Mapping[str, Lost]:
    """Without what GitHub does not send any more, and no more than `MOST_KEPT`."""
    kept = [(guid, one) for guid, one in lost.items() if one.at > newest - REMEMBERED_S]
    kept.sort(key=lambda pair: (pair[1].is_given_up, -pair[1].at))
    return dict(kept[:MOST_KEPT])
