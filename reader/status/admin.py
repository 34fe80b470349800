"""Who may act: whoever gives `ADMIN_TOKEN`, in a header or, once, to the page's form.

The form's answer is a cookie, see `sessions`. What is posted with the cookie must also have the
session's own word with it, which no other site can know or make a browser send (CSRF: OWASP
Cross-Site Request Forgery Prevention).
"""

import hashlib
import hmac

from pydantic import SecretStr
from redis import Redis

from reader.status.guesses import Guesses
from reader.status.sessions import Session, Sessions

COOKIE = "api-read-cache-admin"
_BEARER = "bearer "


class Admin:
    """Checks what a request gives.

    Args:
        token: `ADMIN_TOKEN`; None lets nobody act.
        guesses: counts what is given instead of it.
    """

    def __init__(self, token: SecretStr | None, guesses: Guesses) -> None:
        self.guesses = guesses
        self._token = None if token is None else token.get_secret_value()

    @property
    def is_possible(self) -> bool:
        """Whether there is a token that could be given."""
        return self._token is not None

    def is_token(self, given: str) -> bool:
        """Whether this is the token, compared in constant time, whatever its length."""
        if self._token is None:
            return False
        return hmac.compare_digest(_digest(given), _digest(self._token))

    def sessions(self, redis: Redis) -> Sessions | None:
        """The sessions of those who gave the token to the form; None without a token."""
        return None if self._token is None else Sessions(redis, self._token)

    @staticmethod
    def bearer(authorization: str) -> str | None:
        """The token that a request's `Authorization` gives; None if it gives none."""
        if authorization[: len(_BEARER)].lower() != _BEARER:
            return None
        return authorization[len(_BEARER) :].strip()

    @staticmethod
    def is_meant(session: Session, *, csrf: str, fetch_site: str) -> bool:
        """Whether a post was sent by our own page, or by a program that holds the token.

        Args:
            session: of the request.
            csrf: that came with it.
            fetch_site: value of `Sec-Fetch-Site`, which browsers send; empty if it is absent.
        """
        if session.csrf is None:
            return True
        if fetch_site not in {"", "same-origin"}:
            return False
        return hmac.compare_digest(csrf.encode(), session.csrf.encode())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
