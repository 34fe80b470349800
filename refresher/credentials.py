"""What the origin is asked with: no credential, one token, or several."""

import hashlib
from dataclasses import dataclass

from shared.settings import Settings

# GitHub's primary limits an hour, assumed until GitHub has said its own.
# https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
ANONYMOUS_LIMIT = 60
TOKEN_LIMIT = 5000


@dataclass(frozen=True)
class Credential:
    """One way of being known to GitHub.

    Args:
        authorization: value of the `Authorization` header; None to be anonymous. A secret.
    """

    authorization: str | None = None

    def __repr__(self) -> str:
        return f"Credential({self.id})"

    @property
    def id(self) -> str:
        """What keys and logs call it: a digest, never the secret."""
        if self.authorization is None:
            return "anonymous"
        return hashlib.sha256(self.authorization.encode()).hexdigest()[:12]

    @property
    def assumed_limit(self) -> int:
        """Requests an hour, until GitHub says."""
        return ANONYMOUS_LIMIT if self.authorization is None else TOKEN_LIMIT


def credentials_of(settings: Settings) -> tuple[Credential, ...]:
    """All credentials that the settings give; the anonymous one where they give none."""
    tokens = settings.github_api_tokens
    return tuple(Credential(f"Bearer {token}") for token in tokens) or (Credential(),)
