"""Rate-limiter interface: reserve before a request, settle with its response."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from refresher.github.addresses import Place
from refresher.github.auth.credentials import ANONYMOUS, REFUSED_FOR, Credential, tokens_of
from refresher.github.rate_limit_class import CORE
from refresher.github.rate_limit_headers import UNSAID_PAUSE, WINDOW
from shared.settings import Settings


@dataclass(frozen=True)
class Reservation:
    """Permission to send one request.

    Args:
        credential: the credential to send.
        request_id: identifies the request's place in flight.
        resource_class: the class of the limit that it was reserved from.
        shape: of the request's path, see `rate_limit_class.shape_of`.
    """

    credential: Credential
    request_id: str = ""
    resource_class: str = CORE
    shape: str = ""


class RateLimiter(Protocol):
    """Decides whether a request may be sent now, and with which credential."""

    @property
    def credentials(self) -> Sequence[Credential]:
        """All credentials; only the anonymous one if none are configured."""

    def reserve(self, target: str = "/", *, among: Collection[str] | None = None) -> Reservation:
        """Reserve one request.

        Args:
            target: path below the API's base URL. It decides which limit counts.
            among: ids of the credentials that may be used, besides the anonymous one; None for any.

        Raises:
            OriginError: no request may be sent now. `retry_after` says when.
            StoppedError: the process shuts down, or the request waited too long.
        """

    def settle(self, reservation: Reservation, status: int, headers: Mapping[str, str]) -> None:
        """Update the budget from a response; `status` is 0 if none came."""

    def pause(self, seconds: float | None) -> float:
        """Pause all refreshers because a secondary limit was met; return for how many seconds.

        Args:
            seconds: that GitHub asks for; None if it does not say.
        """

    def set_aside(self, credential: Credential, reason: str, seconds: float = REFUSED_FOR) -> bool:
        """Do not use a credential for a while; return whether there is another, or none is needed.

        Args:
            credential: that is refused.
            reason: GitHub's message, or another line for a person.
            seconds: for which it is not used.
        """

    def refuse(self, credential: Credential, place: Place, message: str) -> bool:
        """Do not use a credential in one place for a while; return as `set_aside` does.

        Args:
            credential: that is refused.
            place: where; without an operation, everything of the owner.
            message: GitHub's.
        """

    @property
    def has_others(self) -> bool:
        """Whether there is more than one credential."""

    @property
    def for_further_pages(self) -> "RateLimiter":
        """The rate limiter for the pages of a list after its first one."""


class NoRateLimiter:
    """Allows every request, with the first credential; for a single client without a fleet."""

    def __init__(self, settings: Settings) -> None:
        self._reservation = Reservation(next(iter(tokens_of(settings)), ANONYMOUS))

    @property
    def credentials(self) -> Sequence[Credential]:
        """Only the first."""
        return [self._reservation.credential]

    def reserve(self, target: str = "/", *, among: Collection[str] | None = None) -> Reservation:  # noqa: ARG002
        """Always succeeds."""
        if among is None or self._reservation.credential.id in among:
            return self._reservation
        return Reservation(ANONYMOUS)

    def settle(self, reservation: Reservation, status: int, headers: Mapping[str, str]) -> None:
        """Does nothing: there is no budget."""

    def pause(self, seconds: float | None) -> float:
        """Pauses only the caller."""
        return UNSAID_PAUSE if seconds is None else min(seconds, WINDOW)

    def set_aside(self, credential: Credential, reason: str, seconds: float = REFUSED_FOR) -> bool:  # noqa: ARG002
        """Does nothing: there are no others."""
        return False

    def refuse(self, credential: Credential, place: Place, message: str) -> bool:  # noqa: ARG002
        """Does nothing: there are no others."""
        return False

    @property
    def has_others(self) -> bool:
        """Always False."""
        return False

    @property
    def for_further_pages(self) -> "NoRateLimiter":
        """The same."""
        return self
