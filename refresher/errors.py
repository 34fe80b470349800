"""Why a refresh stops."""

from shared.outcomes import FailureKind


class OriginError(Exception):
    """The origin gave nothing that can be stored.

    Args:
        kind: the sort of failure.
        reason: one line for a person; never holds a secret.
        status: the origin's HTTP status, where there was one.
        retry_after: seconds that the origin asks us to wait, where it does.
    """

    def __init__(
        self,
        kind: FailureKind,
        reason: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.status = status
        self.retry_after = retry_after


class CredentialError(OriginError):
    """A credential is of no use at the moment; another may be.

    Args:
        kind: the sort of failure.
        reason: one line for a person; never holds a secret.
        seconds: before it is worth another try.
    """

    def __init__(self, kind: FailureKind, reason: str, *, seconds: float) -> None:
        super().__init__(kind, reason, retry_after=seconds)
        self.seconds = seconds


class NotNowError(Exception):
    """Another refresher is at work on what this refresh needs first."""


class HeldBackError(Exception):
    """The list turned out to be a large one, and large ones are at work in all but one worker."""


class NoQuorumError(Exception):
    """Too few of the masters that locks live on answer: nobody can say who holds the lock."""


class LeaseLostError(Exception):
    """The lock is no longer ours: another refresher may be at work on the resource."""
