"""Errors of refreshes."""

from shared.outcomes import FailureKind


class OriginError(Exception):
    """GitHub sent nothing that can be stored, or no request could be sent.

    Args:
        kind: of the failure.
        reason: one line for a person; never contains a secret.
        status: GitHub's HTTP status; None if there was no response.
        retry_after: seconds that GitHub asks us to wait; None if it does not.
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

    @property
    def not_served_because(self) -> str | None:
        """Why GitHub's answer is not served on demand, in a sentence; None if there was none."""
        too_large = self.kind is FailureKind.TOO_LARGE
        return f"GitHub's answer is too large: {self.reason}." if too_large else None


class CredentialError(OriginError):
    """A credential cannot be used at the moment; another one may work.

    Args:
        kind: of the failure.
        reason: one line for a person; never contains a secret.
        seconds: before another try is useful.
    """

    def __init__(self, kind: FailureKind, reason: str, *, seconds: float) -> None:
        super().__init__(kind, reason, retry_after=seconds)
        self.seconds = seconds


class LedElsewhereError(OriginError):
    """GitHub redirects to a host that is not asked."""

    def __init__(self, status: int) -> None:
        reason = "GitHub leads to an address that is not its own"
        super().__init__(FailureKind.UNEXPECTED, reason, status=status)

    @property
    def not_served_because(self) -> str:
        """See `OriginError.not_served_because`."""
        return "GitHub redirects to another host."


class StoredPageError(OriginError):
    """The body of a stored page is damaged, or it expired meanwhile: read without stored pages."""

    def __init__(self) -> None:
        super().__init__(FailureKind.INTERNAL, "a stored page is damaged or gone")


class NotNowError(Exception):
    """Another refresher is refreshing the repository that this refresh depends on."""


class StoppedError(Exception):
    """The refresh stops, and this is no failure: the process shuts down, or it waited too long."""


class NoQuorumError(Exception):
    """Too few of the lock's masters respond: it is unknown who holds the lock."""
