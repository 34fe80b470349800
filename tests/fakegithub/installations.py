"""Tokens issued to installations of GitHub Apps, and their expiry.

Source: docs.github.com "Generating an installation access token for a GitHub App".
"""

import math
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fakegithub.apps import App
from tests.fakegithub.world import iso

# The form that the docs announce for 2026, `ghs_APPID_JWT`, longer than the former 40 characters.
JWT_BYTES: Final = (27, 200, 256)  # header, claims, signature


@dataclass(frozen=True)
class Issued:
    """A token; `expires_at` is in seconds since the epoch, by the server's clock."""

    token: str = field(repr=False)
    installation_id: int
    expires_at: int
    permissions: dict[str, str] = field(hash=False)

    @property
    def credential(self) -> str:
        """The budget that all tokens of an installation share."""
        return f"installation-{self.installation_id}"

    def as_json(self) -> dict[str, Any]:
        """The body of the response that issues it (schema `installation-token`)."""
        return {
            "token": self.token,
            "expires_at": iso(self.expires_at),
            "permissions": self.permissions,
            "repository_selection": "all",
        }


@dataclass
class Installations:
    """All issued tokens, expired ones included. Thread-safe; time is a parameter."""

    issued: dict[str, Issued] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def issue(self, app: App, *, now: float) -> Issued:
        """Issue a new token to an installation; its other tokens stay valid."""
        parts = ".".join(secrets.token_urlsafe(size) for size in JWT_BYTES)
        expires_at = math.ceil(now + app.token_seconds)
        made = Issued(
            f"ghs_{app.app_id}_{parts}", app.installation_id, expires_at, dict(app.permissions)
        )
        with self.lock:
            self.issued[made.token] = made
        return made

    def of(self, token: str) -> Issued | None:
        """The record of a token that was issued here; None for any other token."""
        with self.lock:
            return self.issued.get(token)

    def tokens(self) -> list[str]:
        """All issued tokens, oldest first."""
        with self.lock:
            return list(self.issued)
