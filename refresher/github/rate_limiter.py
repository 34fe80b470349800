"""What every request to the origin passes on its way out, and its answer on its way in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from refresher.github.auth.credentials import ANONYMOUS, Credential, tokens_of
from refresher.github.rate_limit_class import CORE
from shared.settings import Settings

ASIDE = 600.0  # seconds before a refused credential is tried again
UNSAID_PAUSE = 60.0  # seconds; GitHub on secondary limits: "wait for at least one minute"


@dataclass(frozen=True)
class Reservation:
    """Leave to send one request.

    Args:
        credential: to send it with.
        request_id: its place among those at once.
        resource_class: which of GitHub's limits it was reserved from.
        shape: what kind of address it is for.
    """

    credential: Credential
    request_id: str = ""
    resource_class: str = CORE
    shape: str = ""


class RateLimiter(Protocol):
    """What every request passes on its way out, and its answer on its way in."""

    @property
    def credentials(self) -> Sequence[Credential]:
        """All that there are; the anonymous one alone where there is none."""

    def reserve(self, target: str = "/", *, among: Collection[str] | None = None) -> Reservation:
        """Leave to send one request now.

        Args:
            target: path below the origin's base; which limit counts depends on it.
            among: ids of the credentials that may be used beside none at all; None for any.

        Raises:
            OriginError: not now; it says when.
        """

    def settle(self, reservation: Reservation, status: int, headers: Mapping[str, str]) -> None:
        """Take note of what an answer says; without one, `status` is 0."""

    def pause(self, seconds: float | None) -> float:
        """Stop all refreshers: a secondary limit was met. Gives for how many seconds.

        Args:
            seconds: that the origin asks for, where it does.
        """

    def set_aside(self, credential: Credential, reason: str, seconds: float = ASIDE) -> bool:
        """Use a credential no more for a while. Gives whether there are others."""

    @property
    def has_others(self) -> bool:
        """Whether there is more than one credential."""


class NoRateLimiter:
    """Lets everything pass with the first credential; for a single client with no fleet."""

    def __init__(self, settings: Settings) -> None:
        self._reservation = Reservation(next(iter(tokens_of(settings)), ANONYMOUS))

    @property
    def credentials(self) -> Sequence[Credential]:
        """The first."""
        return [self._reservation.credential]

    def reserve(self, target: str = "/", *, among: Collection[str] | None = None) -> Reservation:  # noqa: ARG002
        """Always."""
        if among is None or self._reservation.credential.id in among:
            return self._reservation
        return Reservation(ANONYMOUS)

    def settle(self, reservation: Reservation, status: int, headers: Mapping[str, str]) -> None:
        """Nothing to note."""

    def pause(self, seconds: float | None) -> float:
        """Nobody to stop but the caller."""
        return UNSAID_PAUSE if seconds is None else seconds

    def set_aside(self, credential: Credential, reason: str, seconds: float = ASIDE) -> bool:  # noqa: ARG002
        """There are no others."""
        return False

    @property
    def has_others(self) -> bool:
        """There are not."""
        return False
