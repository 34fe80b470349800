"""What holds something back, in one form: why, since when, until when, and what ends it. Pure.

The status page, the command line, `doctor` and the log all take their words from here. To add a
kind of hold is to add a member of `HoldKind`, its row in `_KINDS`, and whatever finds it
(`reader.fleet.holds`); a test goes through all members, and fails for one that is not shown.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from shared.time_bounds import showable
from shared.times_in_words import about as in_words
from shared.times_in_words import clock

_LONGEST = 400  # characters of a name or of a reason
_DAMAGE = (ValueError, KeyError, TypeError, OverflowError, RecursionError)


class HoldKind(StrEnum):
    """What holds something back."""

    PAUSED = "paused"  # an operator has paused refreshing
    ORIGIN_PAUSED = "origin-paused"  # GitHub asked for a pause: a secondary limit
    LIMIT_SPENT = "limit-spent"  # a credential's limit of the hour is used up
    LIMIT_KEPT = "limit-kept"  # what is left of it is kept for tracked content
    POINTS_SPENT = "points-spent"  # a party's requests of the minute are used up
    CREDENTIAL_ASIDE = "credential-aside"  # GitHub rejects a credential
    CREDENTIAL_REFUSED = "credential-refused"  # GitHub refuses one in one place
    FAILING = "failing"  # back-off after failures of a resource
    DOUBTED = "doubted"  # a list lost much, and is not believed yet
    RESTING = "resting"  # a resource was put off after its last refresh
    NO_LOCK = "no-lock"  # too few lock servers respond
    LOOKED_AT_AGAIN = "looked-at-again"  # after an event, GitHub's replicas may lag
    LEFT_ALONE = "left-alone"  # an entry that another release derived more for
    WITHDRAWN = "withdrawn"  # a repository that is no longer public
    WITHHELD = "withheld"  # a path of TRACK that clients do not get
    DRIFT_DOUBTED = "drift-doubted"  # a page differs from GitHub's, and may only be older
    DRIFT_HEALED = "drift-healed"  # drift was found, and the resource was read anew
    DRIFT_PUT_OFF = "drift-put-off"  # no page is compared, as GitHub did not show one
    DELIVERIES_UNLISTED = "deliveries-unlisted"  # lost deliveries are not looked for
    QUEUE_FULL = "queue-full"  # no further refresh on demand is queued
    CLIENTS_REFUSED = "clients-refused"  # misses get a 429 or a 503 for the load
    TOKENS_GUESSED = "tokens-guessed"  # responses to wrong ADMIN_TOKENs are delayed
    REDIS_AWAY = "redis-away"  # readers serve from memory
    REDIS_REFUSES = "redis-refuses"  # Redis takes no writes


@dataclass(frozen=True)
class _Row:
    """What all holds of a kind have in common.

    Args:
        ends_when: what ends it, after "It ends when".
        is_routine: it comes and goes while all is well.
        is_local: a process knows of it, and not the fleet: Redis cannot tell of itself.
        is_private: its names and times are for operators; everybody is told the number.
    """

    ends_when: str
    is_routine: bool = False
    is_local: bool = False
    is_private: bool = False


_RESUMED = "or an operator resumes refreshing"
_KINDS: Mapping[HoldKind, _Row] = {
    HoldKind.PAUSED: _Row("an operator resumes refreshing"),
    HoldKind.ORIGIN_PAUSED: _Row(
        "that time is over (if GitHub asked for more than an hour, when one request in ten minutes "
        f"succeeds), {_RESUMED}"
    ),
    HoldKind.LIMIT_SPENT: _Row(f"GitHub's hour is over, {_RESUMED}"),
    HoldKind.LIMIT_KEPT: _Row("GitHub's hour is over"),
    HoldKind.POINTS_SPENT: _Row("a request may be sent again; the minute's fill up evenly", True),
    HoldKind.CREDENTIAL_ASIDE: _Row(
        f"that time is over, and GitHub accepts it, {_RESUMED}; a valid credential ends it at once"
    ),
    HoldKind.CREDENTIAL_REFUSED: _Row(f"that time is over, and GitHub accepts it, {_RESUMED}"),
    HoldKind.FAILING: _Row(
        "a refresh succeeds; the next one may begin at that time, or at once if an operator "
        "refreshes it or resumes refreshing"
    ),
    HoldKind.DOUBTED: _Row(
        "a second look, from that time on, shows about the same, or the list whole again"
    ),
    HoldKind.RESTING: _Row("that time is over, or an operator refreshes it", True),
    HoldKind.NO_LOCK: _Row("enough of the servers in REDLOCK_URLS respond at the next try"),
    HoldKind.LOOKED_AT_AGAIN: _Row("the last look, 10 s after the event, has been made", True),
    HoldKind.LEFT_ALONE: _Row(
        "that time is over: then it is derived anew; processes of one release leave nothing alone",
        True,
    ),
    HoldKind.WITHDRAWN: _Row(
        "that time is over, or GitHub tells or shows twice that it is public again",
        is_private=True,
    ),
    HoldKind.WITHHELD: _Row(
        "GitHub shows it to everybody; it is asked at that time, and after each event about it",
        is_private=True,
    ),
    HoldKind.DRIFT_DOUBTED: _Row(
        "a refresh has confirmed what is stored, and the page is compared again", True
    ),
    HoldKind.DRIFT_HEALED: _Row(
        "that time is over: it was read anew, and is read anew once an hour at the most"
    ),
    HoldKind.DRIFT_PUT_OFF: _Row("GitHub shows the next page that is compared"),
    HoldKind.DELIVERIES_UNLISTED: _Row("a look succeeds; the next one comes then"),
    HoldKind.QUEUE_FULL: _Row("refreshers have taken jobs from the queue"),
    HoldKind.CLIENTS_REFUSED: _Row("a minute passes without such a request", True),
    HoldKind.TOKENS_GUESSED: _Row("that time passes without a further wrong token"),
    HoldKind.REDIS_AWAY: _Row("Redis responds again", is_local=True),
    HoldKind.REDIS_REFUSES: _Row("Redis takes a write again", is_local=True),
}


@dataclass(frozen=True)
class Hold:
    """One thing that holds something back.

    Args:
        kind: what it is.
        about: what is held back: a resource's name, a credential's id, or a few words.
        reason: why, in a few words; never holds a secret.
        since: Unix time in seconds; None if whoever looks is not told, or nobody knows.
        until: Unix time in seconds at which it ends, or at which the next try is; None if no time
            is set.
    """

    kind: HoldKind
    about: str
    reason: str
    since: float | None = None
    until: float | None = None

    @property
    def ends_when(self) -> str:
        """What ends it, after "It ends when"."""
        return _KINDS[self.kind].ends_when

    @property
    def is_routine(self) -> bool:
        """Whether it comes and goes while all is well."""
        return _KINDS[self.kind].is_routine

    @property
    def is_local(self) -> bool:
        """Whether one process knows of it, which writes to its log by itself."""
        return _KINDS[self.kind].is_local

    @property
    def is_private(self) -> bool:
        """Whether its names and times are for operators, and its number for everybody."""
        return _KINDS[self.kind].is_private

    @property
    def key(self) -> str:
        """Its name among all holds at one time."""
        return f"{self.kind} {self.about}"[:_LONGEST]

    def since_words(self, now: float) -> str:
        """Since when: `12:00:00 UTC (5 min)`."""
        if self.since is None:
            return "not told here"
        return f"{clock(self.since, now)} ({in_words(now - self.since)})"

    def until_words(self, now: float) -> str:
        """Until when: `12:10:00 UTC (in 5 min)`."""
        if self.until is None:
            return "not told here" if self.is_private else "no end is set"
        if self.until - now < 1:
            return "now"
        return f"{clock(self.until, now)} (in {in_words(self.until - now)})"

    def when_words(self, now: float) -> str:
        """Since when, until when, and what ends it, in two sentences."""
        untold = "a time that is not told here"
        since = untold if self.since is None else self.since_words(now)
        until = f"until {self.until_words(now)}"
        if self.until is None:
            until = f"until {untold}" if self.is_private else "with no end set"
        return f"Since {since}, {until}. It ends when {self.ends_when}."

    def words(self, now: float) -> str:
        """Everything in three sentences."""
        return f"{self.about}: {self.reason.rstrip('.')}. {self.when_words(now)}"

    def over_words(self, now: float) -> str:
        """That it is over, in a sentence.

        Args:
            now: Unix time in seconds of its end.
        """
        return f"{self.about}: {self.reason.rstrip('.')}. {self.lasted_words(now)}".rstrip()

    def lasted_words(self, now: float) -> str:
        """How long it lasted, in a sentence; empty if that is not known.

        Args:
            now: Unix time in seconds of its end.
        """
        return "" if self.since is None else f"It lasted {in_words(now - self.since)}."

    def to_document(self) -> dict[str, Any]:
        """Everything, with Unix times, for `--json` and the fields of the log."""
        return {**asdict(self), "kind": str(self.kind), "ends_when": self.ends_when}

    @classmethod
    def from_fields(cls, known: Mapping[str, Any]) -> "Hold | None":
        """The inverse of `asdict`; None if something is damaged, or of a newer release."""
        try:
            kind = HoldKind(known["kind"])
            texts = [known["about"], known["reason"]]
            times = [known["since"], known["until"]]
        except _DAMAGE:
            return None
        is_well_formed = all(isinstance(one, str) for one in texts) and all(
            one is None or (type(one) in {int, float} and math.isfinite(one)) for one in times
        )
        if not is_well_formed:
            return None
        since, until = (None if one is None else showable(float(one)) for one in times)
        return cls(kind, texts[0][:_LONGEST], texts[1][:_LONGEST], since, until)


def redis_away(since: float | None) -> Hold:
    """The hold of a Redis that does not respond.

    Args:
        since: Unix time in seconds; None if it is not known.
    """
    reason = "Redis does not respond; readers serve what they hold in memory, however old"
    return Hold(HoldKind.REDIS_AWAY, "what is not in memory, and all refreshes", reason, since)
