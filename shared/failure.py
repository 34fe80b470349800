"""The record of a failed refresh, stored beside the entry, which it leaves unchanged."""

import json
import math
from dataclasses import asdict, dataclass

from shared.errors import UnreadableError
from shared.outcomes import FailureKind


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
        """Whether it is too early for another try."""
        return now < self.retry_at

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
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UnreadableError from error
        if not failure._is_well_formed():
            raise UnreadableError
        return failure

    def _is_well_formed(self) -> bool:
        """Whether the values have their types; damaged ones would raise when they are used."""
        times = (self.since, self.at, self.retry_at)
        numbers = (self.attempts, *times, *(() if self.status is None else (self.status,)))
        return isinstance(self.reason, str) and all(
            isinstance(one, int | float) and math.isfinite(one) for one in numbers
        )
