"""What the origin is asked with: no credential, a token, or what the pool holds besides."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import requests
from requests.auth import AuthBase

from shared import budgets
from shared.settings import Settings

# GitHub's primary limits an hour, assumed until GitHub has said its own.
# https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
ANONYMOUS_LIMIT = 60
TOKEN_LIMIT = 5000
# Scopes that show nothing that is not public. Not `read:org`, which shows members that conceal
# their membership, nor `public_repo`, which may write, and so sees drafts.
# https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
HARMLESS_SCOPES = frozenset({"read:user", "user:email"})
# Personal access tokens (classic) and tokens of OAuth apps, of today and of before April 2021.
_CLASSIC = re.compile(r"gh[po]_[A-Za-z0-9_]+|[0-9a-f]{40}")


class Credential(Protocol):
    """One way of being known to GitHub, with a rate limit of its own."""

    @property
    def id(self) -> str:
        """What keys and logs call it; never a secret."""

    @property
    def assumed_limit(self) -> int:
        """Requests an hour, until GitHub says."""

    @property
    def is_anonymous(self) -> bool:
        """Whether it is none."""

    def authorization(self) -> str | None:
        """Value of the `Authorization` header; None to be anonymous. A secret.

        Raises:
            CredentialError: there is none to be had at the moment.
        """

    def renew(self) -> bool:
        """Throw away what GitHub refused; gives whether something else takes its place."""

    def excess(self, headers: Mapping[str, str]) -> list[str]:
        """What GitHub says that it may see beyond the public, for people; none where it is silent.

        Args:
            headers: of an answer to it.
        """


@dataclass(frozen=True)
class Token:
    """A token, or none.

    Args:
        secret: the token; None to be anonymous.
    """

    secret: str | None = None

    def __repr__(self) -> str:
        return f"Token({self.id})"

    @property
    def id(self) -> str:
        """A digest of the token."""
        authorization = self.authorization()
        if authorization is None:
            return budgets.ANONYMOUS
        return hashlib.sha256(authorization.encode()).hexdigest()[:12]

    @property
    def assumed_limit(self) -> int:
        """Requests an hour, until GitHub says."""
        return ANONYMOUS_LIMIT if self.secret is None else TOKEN_LIMIT

    @property
    def is_anonymous(self) -> bool:
        """Whether there is no token."""
        return self.secret is None

    @property
    def is_classic(self) -> bool:
        """Whether GitHub says by `X-OAuth-Scopes` what the token may see.

        Of other tokens that field says nothing, so an empty one would prove nothing.
        https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
        """
        return self.secret is not None and _CLASSIC.fullmatch(self.secret) is not None

    def authorization(self) -> str | None:
        """Value of the `Authorization` header."""
        return None if self.secret is None else f"Bearer {self.secret}"

    def renew(self) -> bool:
        """Only a person can."""
        return False

    def excess(self, headers: Mapping[str, str]) -> list[str]:
        """The scopes that show more than the public sees."""
        if self.is_anonymous:
            return []
        scopes = {scope.strip() for scope in headers.get("X-OAuth-Scopes", "").split(",")} - {""}
        return [f"has the scope {scope}" for scope in sorted(scopes - HARMLESS_SCOPES)]


ANONYMOUS = Token()


class Sending(AuthBase):
    """Sends a value of `Authorization`, or none.

    Being there at all, it keeps `requests` from sending what a .netrc file holds.

    Args:
        authorization: the value; None to send none.
    """

    def __init__(self, authorization: str | None) -> None:
        self._authorization = authorization

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header to a request."""
        if self._authorization is not None:
            request.headers["Authorization"] = self._authorization
        return request


def tokens_of(settings: Settings) -> tuple[Token, ...]:
    """The tokens that the settings give, each once."""
    return tuple(Token(token) for token in settings.github_api_tokens)
