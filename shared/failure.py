"""The record of a failed refresh, stored beside the entry, which it leaves unchanged.

It never holds a resource back for longer than an hour, whatever it says: the bound is kept where it
is written and again where it is read.
"""

import json
import math
from dataclasses import asdict, dataclass, replace

from shared.errors import UnreadableError
from shared.outcomes import FailureKind
from shared.time_bounds import LONGEST_PAUSE, is_past, showable

_MOST_ATTEMPTS = 1_000_000_000


@dataclass(frozen=True)
class Failure:
    """Why the last refresh of a resource failed, and when it may be retried.

    Args:
        kind: the kind of failure.
        reason: one line for people; never holds a secret.
        status: the origin's HTTP status; None without a response.
        attempts: failures in a row, this one included.
        since: Unix time in seconds of the first failure.
        at: Unix time in seconds of this failure.
        retry_at: Unix time in seconds before which no refresh is tried.
    """

    kind: FailureKind
    reason: str
    status: int | None
    attempts: int
    since: float
    at: float
    retry_at: float

    def holds_back(self, now: float) -> bool:
        """Whether it is too early for another try; never because of a failure in the future."""
        return is_past(self.at, now) and now < self.retry_at

    def ended_by(self, resumed_at: float) -> "Failure":
        """The failure after an operator ended all pauses: one from before holds nothing back.

        Args:
            resumed_at: Unix time in seconds; 0 if no operator did.
        """
        if self.at > resumed_at:
            return self
        return replace(self, retry_at=self.at)

    def to_json(self) -> str:
        """The record as it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: bytes | str) -> "Failure":
        """The inverse of `to_json`.

        Raises:
            UnreadableError: the text is malformed.
        """
        try:
            fields = json.loads(text)
            failure = cls(**{**fields, "kind": FailureKind(fields["kind"])})
            if not failure._is_well_formed():
                raise UnreadableError
        except (OverflowError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UnreadableError from error
        return failure._within_bounds()

    def _is_well_formed(self) -> bool:
        """Whether the values have their types; damaged ones would raise when they are used."""
        times = (self.since, self.at, self.retry_at)
        numbers = (self.attempts, *times, *(() if self.status is None else (self.status,)))
        return isinstance(self.reason, str) and all(
            isinstance(one, int | float) and math.isfinite(one) for one in numbers
        )

    def _within_bounds(self) -> "Failure":
        """The same record with times and numbers that are possible."""
        at = showable(self.at)
        return replace(
            self,
            attempts=min(max(self.attempts, 1), _MOST_ATTEMPTS),
            since=min(showable(self.since), at),
            at=at,
            retry_at=min(max(self.retry_at, at), at + LONGEST_PAUSE),
        )
