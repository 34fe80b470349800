"""Authentication of operators: `ADMIN_TOKEN` in a header or, once, in the page's sign-in form.

The form's response sets a session cookie, see `sessions`. A POST with the cookie must also carry
the session's CSRF token, which another site can neither know nor make a browser send (OWASP
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
    """Checks the credentials of a request.

    Args:
        token: `ADMIN_TOKEN`; None rejects every operator.
        guesses: counts wrong tokens.
    """

    def __init__(self, token: SecretStr | None, guesses: Guesses) -> None:
        self.guesses = guesses
        self._token = None if token is None else token.get_secret_value()

    @property
    def is_enabled(self) -> bool:
        """Whether `ADMIN_TOKEN` is set."""
        return self._token is not None

    def is_token(self, given: str) -> bool:
        """Whether this is the token; compared in constant time, whatever its length."""
        if self._token is None:
            return False
        return hmac.compare_digest(_digest(given), _digest(self._token))

    def sessions(self, redis: Redis) -> Sessions | None:
        """The sessions of signed-in operators; None if `ADMIN_TOKEN` is not set."""
        return None if self._token is None else Sessions(redis, self._token)

    @staticmethod
    def bearer(authorization: str) -> str | None:
        """The bearer token of an `Authorization` field; None if it has none."""
        if authorization[: len(_BEARER)].lower() != _BEARER:
            return None
        return authorization[len(_BEARER) :].strip()

    @staticmethod
    def passes_csrf_check(session: Session, *, csrf: str, fetch_site: str) -> bool:
        """Whether a POST came from our own page, or from a program that holds the token.

        Args:
            session: of the request.
            csrf: the CSRF token in the form; empty if it is absent.
            fetch_site: value of `Sec-Fetch-Site`, which browsers send; empty if it is absent.
        """
        if session.csrf is None:
            return True
        if fetch_site not in {"", "same-origin"}:
            return False
        return hmac.compare_digest(csrf.encode(), session.csrf.encode())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
