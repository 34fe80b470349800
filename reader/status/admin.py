"""Who may act: whoever gives `ADMIN_TOKEN`, in a header or, once, to the page's form.

The form's answer is a cookie that any reader can check: signed with the token, so that a new token
ends every session, and read by no script. What is posted with the cookie must also have the
session's own word with it, which no other site can know or make a browser send (CSRF: OWASP
Cross-Site Request Forgery Prevention, "signed double-submit").
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeTimedSerializer
from pydantic import SecretStr

COOKIE = "api-read-cache-admin"
LIFETIME_S = 12 * 3600
_BEARER = "bearer "


@dataclass(frozen=True)
class Session:
    """Somebody who gave the token.

    Args:
        csrf: what a form has to bring with it; None for who gives the token with each request.
    """

    csrf: str | None = None


class Admin:
    """Checks what a request gives.

    Args:
        token: `ADMIN_TOKEN`; None lets nobody act.
    """

    def __init__(self, token: SecretStr | None) -> None:
        self._token = None if token is None else token.get_secret_value()
        self._signer = None if self._token is None else _signer(self._token)

    @property
    def is_possible(self) -> bool:
        """Whether there is a token that could be given."""
        return self._token is not None

    def is_token(self, given: str) -> bool:
        """Whether this is the token, compared in constant time."""
        if self._token is None:
            return False
        return hmac.compare_digest(given.encode(), self._token.encode())

    def new_cookie(self) -> str:
        """The cookie of a new session, for somebody who gave the token."""
        return self._sign("session", secrets.token_urlsafe(18))

    def signed(self, text: str) -> str:
        """A text that comes back to us by way of the browser; nobody else can make one."""
        return self._sign("text", text)

    def text(self, signed: str) -> str | None:
        """What `signed` was given less than a minute ago; None for anything else."""
        return self._unsign("text", signed, max_age=60)

    def session(self, *, authorization: str, cookie: str) -> Session | None:
        """The session of a request; None where it proves nothing.

        Args:
            authorization: value of the header field, or empty.
            cookie: value of `COOKIE`, or empty.
        """
        if authorization[: len(_BEARER)].lower() == _BEARER:
            is_right = self.is_token(authorization[len(_BEARER) :].strip())
            return Session() if is_right else None
        csrf = self._unsign("session", cookie, max_age=LIFETIME_S)
        return None if csrf is None else Session(csrf)

    @staticmethod
    def is_meant(session: Session, *, csrf: str, fetch_site: str) -> bool:
        """Whether a post was sent by our own page, or by a program that holds the token.

        Args:
            session: of the request.
            csrf: that came with it.
            fetch_site: value of `Sec-Fetch-Site`, which browsers send; empty where it is absent.
        """
        if session.csrf is None:
            return True
        if fetch_site not in {"", "same-origin"}:
            return False
        return hmac.compare_digest(csrf.encode(), session.csrf.encode())

    def _sign(self, use: str, text: str) -> str:
        assert self._signer is not None
        signed = self._signer.dumps([use, text])
        return signed.decode() if isinstance(signed, bytes) else signed

    def _unsign(self, use: str, signed: str, *, max_age: int) -> str | None:
        if self._signer is None:
            return None
        try:
            signed_for, text = self._signer.loads(signed, max_age=max_age)
        except BadSignature:
            return None
        return str(text) if signed_for == use else None


def _signer(token: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        token,
        salt="api-read-cache admin",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
