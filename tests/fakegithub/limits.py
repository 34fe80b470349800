"""GitHub's rate limits: points in a window, and requests at a time, for each credential.

Source: docs.github.com "Rate limits for the REST API". A credential is a token, or
an installation of a GitHub App with all of its tokens.
"""

import hashlib
import math
import threading
from dataclasses import dataclass, field

from tests.fakegithub.apps import App
from tests.fakegithub.config import CORE, Config, ResourceClass

ANONYMOUS = "anonymous"


def credential_of(token: str | None) -> str:
    """The name of a token's budget: a short hash, never the token."""
    return hashlib.sha256(token.encode()).hexdigest()[:8] if token else ANONYMOUS


def app_credential(app: App) -> str:
    """The name of the budget of an App itself, which requests tokens with a JWT."""
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
        """Its object in `/rate_limit` (schema `rate-limit`)."""
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
        """Check the limit and take `cost` points in one step; an exhausted window takes none."""
        usual = config.anonymous_limit if credential == ANONYMOUS else config.token_limit
        limit = resource.of(usual, anonymous=credential == ANONYMOUS)
        seconds = min(config.window_seconds, resource.longest)
        key = (credential, resource.name)
        with self.lock:
            window = self.windows.get(key)
            if window is None or now >= window.reset:
                window = Window(reset=math.ceil(now + seconds))
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
        """Count a request in flight; return how many the credential has, and how many there are."""
        with self.lock:
            self.in_flight[credential] = self.in_flight.get(credential, 0) + 1
            return self.in_flight[credential], sum(self.in_flight.values())

    def leave(self, credential: str) -> None:
        """Count a request in flight no longer."""
        with self.lock:
            self.in_flight[credential] -= 1
