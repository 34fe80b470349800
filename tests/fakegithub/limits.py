"""GitHub's rate limits: points in a window, and requests at a time, for each credential.

Source: docs.github.com "Rate limits for the REST API". A token is a credential, and so is an
installation of a GitHub App, whatever tokens it has.
"""

import hashlib
import math
import threading
from dataclasses import dataclass, field

from tests.fakegithub.apps import App
from tests.fakegithub.config import CORE, Config, ResourceClass

ANONYMOUS = "anonymous"


def credential_of(token: str | None) -> str:
    """Whose budget a request draws on: never the token, a short hash of it."""
    return hashlib.sha256(token.encode()).hexdigest()[:8] if token else ANONYMOUS


def app_credential(app: App) -> str:
    """The budget of an App itself, which asks for tokens with a JWT; no installation's."""
    return f"app-{app.app_id}"


@dataclass(frozen=True)
class Standing:
    """What a credential has left of a class; `reset` is in seconds since the epoch."""

    limit: int
    used: int
    reset: int
    exhausted: bool = False
    resource: str = CORE.name

    @property
    def remaining(self) -> int:
        """Requests left until `reset`."""
        return max(0, self.limit - self.used)

    def as_json(self) -> dict[str, int]:
        """What `/rate_limit` tells of it (schema `rate-limit`)."""
        return {
            "limit": self.limit, "used": self.used, "remaining": self.remaining,
            "reset": self.reset,
        }  # fmt: skip


@dataclass
class Window:
    """A credential's running window in a class."""

    reset: int
    used: int = 0


@dataclass
class Limits:
    """Every credential's windows. Thread-safe; time is a parameter."""

    windows: dict[tuple[str, str], Window] = field(default_factory=dict)
    minutes: dict[str, tuple[int, int]] = field(default_factory=dict)
    in_flight: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def charge(
        self,
        credential: str,
        cost: int,
        *,
        config: Config,
        now: float,
        resource: ResourceClass = CORE,
    ) -> Standing:
        """Take `cost` points at once with the check; an exhausted window takes none."""
        usual = config.anonymous_limit if credential == ANONYMOUS else config.token_limit
        limit = usual if resource.limit is None else resource.limit
        key = (credential, resource.name)
        with self.lock:
            window = self.windows.get(key)
            if window is None or now >= window.reset:
                window = Window(reset=math.ceil(now + config.window_seconds))
                self.windows[key] = window
            exhausted = window.used >= limit
            if not exhausted:
                window.used += cost
            used = min(window.used, limit)
            return Standing(limit, used, window.reset, exhausted, resource.name)

    def over_points(self, credential: str, *, config: Config, now: float) -> bool:
        """Count one more request of this minute; True when it is one too many."""
        if not config.points_per_minute:
            return False
        with self.lock:
            minute, count = self.minutes.get(credential, (0, 0))
            count = count + 1 if minute == int(now // 60) else 1
            self.minutes[credential] = (int(now // 60), count)
            return count > config.points_per_minute

    def forget(self) -> None:
        """Start all windows afresh."""
        with self.lock:
            self.windows.clear()
            self.minutes.clear()

    def enter(self, credential: str) -> tuple[int, int]:
        """One more request in flight; gives the credential's number and everybody's."""
        with self.lock:
            self.in_flight[credential] = self.in_flight.get(credential, 0) + 1
            return self.in_flight[credential], sum(self.in_flight.values())

    def leave(self, credential: str) -> None:
        """One request in flight less."""
        with self.lock:
            self.in_flight[credential] -= 1
