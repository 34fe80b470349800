"""The record of a failed refresh, kept beside the entry that it did not touch."""

import json
from dataclasses import asdict, dataclass

from shared.errors import UnreadableError
from shared.outcomes import FailureKind


@dataclass(frozen=True)
class Failure:
    """Why the last refresh of a resource failed, and when the next try may be.

    Args:
        kind: the sort of failure.
        reason: one line for a person; never holds a secret.
        status: the origin's HTTP status, where there was one.
        attempts: failures in a row, this one included.
        since: Unix time in seconds of the first of them.
        at: Unix time in seconds of this one.
        retry_at: Unix time in seconds before which nobody asks again.
    """

    kind: FailureKind
    reason: str
    status: int | None
    attempts: int
    since: float
    at: float
    retry_at: float

    def holds_back(self, now: float) -> bool:
        """Whether it is too early for the next try."""
        return now < self.retry_at

    def to_json(self) -> str:
        """The record as it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: bytes | str) -> "Failure":
        """The inverse of `to_json`.

        Raises:
            UnreadableError: it is not what `to_json` gave.
        """
        try:
            fields = json.loads(text)
            return cls(**{**fields, "kind": FailureKind(fields["kind"])})
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableError from error
