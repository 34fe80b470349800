"""GitHub's rate limits: points in a window, and requests at a time, for each credential.

Source: docs.github.com "Rate limits for the REST API".
"""

import hashlib
import math
import threading
from dataclasses import dataclass, field

from tests.fakegithub.config import Config

ANONYMOUS = "anonymous"


def credential_of(token: str | None) -> str:
    """Whose budget a request draws on: never the token, a short hash of it."""
    return hashlib.sha256(token.encode()).hexdigest()[:8] if token else ANONYMOUS


@dataclass(frozen=True)
class Standing:
    """What a credential has left; `reset` is in seconds since the epoch."""

    limit: int
    used: int
    reset: int
    exhausted: bool = False

    @property
    def remaining(self) -> int:
        """Requests left until `reset`."""
        return max(0, self.limit - self.used)


@dataclass
class Window:
    """A credential's running window."""

    reset: int
    used: int = 0


@dataclass
class Limits:
    """Every credential's windows. Thread-safe; time is a parameter."""

    windows: dict[str, Window] = field(default_factory=dict)
    minutes: dict[str, tuple[int, int]] = field(default_factory=dict)
    in_flight: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def charge(self, credential: str, cost: int, *, config: Config, now: float) -> Standing:
        """Take `cost` points at once with the check; an exhausted window takes none."""
        limit = config.anonymous_limit if credential == ANONYMOUS else config.token_limit
        with self.lock:
            window = self.windows.get(credential)
            if window is None or now >= window.reset:
                window = Window(reset=math.ceil(now + config.window_seconds))
                self.windows[credential] = window
            exhausted = window.used >= limit
            if not exhausted:
                window.used += cost
            return Standing(limit, min(window.used, limit), window.reset, exhausted)

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
