"""What GitHub remembers of the attempts to deliver an event, for three days.

Sources: docs.github.com "REST API endpoints for GitHub App webhooks" (schema `hook-delivery-item`)
and "Handling failed webhook deliveries".
"""

import threading
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fakegithub.world import iso

KEPT_S: Final = 3 * 24 * 3600
FAILED_TO_CONNECT: Final = ("failed to connect to host", 502)


@dataclass(frozen=True)
class Attempt:
    """One attempt to deliver an event.

    guid: the same for all attempts of a delivery.
    at: seconds since the epoch, by GitHub's clock.
    """

    id: int
    guid: str
    at: float
    status: str
    code: int
    org: str
    redelivery: bool
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False, hash=False)

    def as_json(self) -> dict[str, Any]:
        """An item of the list (schema `hook-delivery-item`)."""
        return {
            "id": self.id,
            "guid": self.guid,
            "delivered_at": iso(int(self.at)),
            "redelivery": self.redelivery,
            "duration": 0.03,
            "status": self.status,
            "status_code": self.code,
            "event": self.headers["X-GitHub-Event"],
            "action": None,
            "installation_id": None,
            "repository_id": None,
            "throttled_at": None,
        }


@dataclass
class DeliveryLog:
    """All attempts; thread-safe."""

    attempts: list[Attempt] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note(self, attempt: Attempt) -> None:
        """Add an attempt; its id is replaced by the next one."""
        with self.lock:
            number = 100_000_000_000 + len(self.attempts)
            self.attempts.append(Attempt(**{**vars(attempt), "id": number}))

    def newest_first(self, org: str | None = None, *, since: float = 0) -> list[Attempt]:
        """The attempts of an organisation's events; None for all."""
        with self.lock:
            found = [one for one in reversed(self.attempts) if one.at >= since]
        return [one for one in found if org is None or one.org.lower() == org.lower()]
