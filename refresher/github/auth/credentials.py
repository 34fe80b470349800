"""Credentials for GitHub: the interface, tokens, and the anonymous credential."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from shared import budgets
from shared.settings import Settings

# GitHub's primary limits per hour, assumed until GitHub reports the real ones.
# https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
ANONYMOUS_LIMIT = 60
TOKEN_LIMIT = 5000
# Scopes that show only public data. `read:org` is not among them: it shows members who conceal
# their membership. Nor is `public_repo`: it may write, and therefore sees drafts.
# https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
HARMLESS_SCOPES = frozenset({"read:user", "user:email"})
# Seconds before a credential that GitHub refused is tried again.
REFUSED_FOR = 600.0
# Classic personal access tokens and tokens of OAuth apps, in today's form and in the form that
# GitHub used until April 2021.
_CLASSIC = re.compile(r"gh[po]_[A-Za-z0-9_]+|[0-9a-f]{40}")


class Credential(Protocol):
    """An identity that GitHub knows, with a rate limit of its own."""

    @property
    def id(self) -> str:
        """Its name in Redis keys and logs; never a secret."""

    @property
    def assumed_limit(self) -> int:
        """Requests per hour, assumed until GitHub reports the real limit."""

    @property
    def is_anonymous(self) -> bool:
        """Whether requests carry no credential."""

    def authorization(self) -> str | None:
        """Value of the `Authorization` header, a secret; None for the anonymous credential.

        Raises:
            CredentialError: no token can be obtained at the moment.
        """

    def renew(self, refused: str | None) -> bool:
        """Discard the token that GitHub refused; return whether a new one can be obtained.

        Args:
            refused: value of `Authorization` in the refused request.
        """

    def excess(self, headers: Mapping[str, str]) -> list[str]:
        """What the credential may see beyond public data, in words; empty if GitHub does not say.

        Args:
            headers: of a response to a request with this credential.
        """


@dataclass(frozen=True)
class Token:
    """A token, or the anonymous credential.

    Args:
        secret: the token; None for the anonymous credential.
    """

    secret: str | None = None

    def __repr__(self) -> str:
        return f"Token({self.id})"

    @cached_property
    def id(self) -> str:
        """A digest of the token."""
        authorization = self.authorization()
        if authorization is None:
            return budgets.ANONYMOUS
        return hashlib.sha256(authorization.encode()).hexdigest()[:12]

    @property
    def assumed_limit(self) -> int:
        """Requests per hour, assumed until GitHub reports the real limit."""
        return ANONYMOUS_LIMIT if self.secret is None else TOKEN_LIMIT

    @property
    def is_anonymous(self) -> bool:
        """Whether there is no token."""
        return self.secret is None

    @property
    def is_classic(self) -> bool:
        """Whether `X-OAuth-Scopes` reports what the token may see.

        For other kinds of tokens an empty field proves nothing.
        https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
        """
        return self.secret is not None and _CLASSIC.fullmatch(self.secret) is not None

    def authorization(self) -> str | None:
        """Value of the `Authorization` header."""
        return None if self.secret is None else f"Bearer {self.secret}"

    def renew(self, refused: str | None) -> bool:  # noqa: ARG002
        """Always False: only a person can replace a token."""
        return False

    def excess(self, headers: Mapping[str, str]) -> list[str]:
        """The scopes that show more than public data."""
        if self.is_anonymous:
            return []
        scopes = {scope.strip() for scope in headers.get("X-OAuth-Scopes", "").split(",")} - {""}
        return [f"has the scope {scope}" for scope in sorted(scopes - HARMLESS_SCOPES)]


ANONYMOUS = Token()


def tokens_of(settings: Settings) -> tuple[Token, ...]:
    """The tokens in the settings, without duplicates."""
    return tuple(Token(token) for token in settings.github_api_tokens)
