"""Sign-in sessions of the status page: a random id in a cookie, and a proof of it in Redis.

Redis decides, so a session that was signed out ends at every reader at once. The cookie holds
nothing that depends on `ADMIN_TOKEN`: a cookie signed with the token would let its holder test
tokens offline, and each response to a forged one would tell whether a guess is right.
`session:{digest}` holds a MAC of the id, keyed with the token: a client that can write to Redis but
lacks the token cannot make a session, and a new token ends every session.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from itsdangerous import BadSignature, URLSafeTimedSerializer
from redis import Redis

from shared.redis import keys

LIFETIME_S = 12 * 3600
_ID_BYTES = 18
_ID = re.compile(r"[A-Za-z0-9_-]{24}")  # `_ID_BYTES` in base64
_NOTE_S = 60  # seconds that a signed note is valid


@dataclass(frozen=True)
class Session:
    """The session of an operator.

    Args:
        id: the cookie's value, a secret; None for a program that sends the token itself.
    """

    id: str | None = field(default=None, repr=False)

    @property
    def csrf(self) -> str | None:
        """The CSRF token that a form must carry; None if it needs none."""
        return None if self.id is None else _mac(self.id, "csrf")

    def signed(self, text: str) -> str:
        """A text that passes through this session's browser; no other client can make one."""
        signed = self._signer().dumps(text)
        return signed.decode() if isinstance(signed, bytes) else signed

    def text(self, signed: str) -> str | None:
        """The text that this session signed less than a minute ago; None for anything else."""
        if self.id is None:
            return None
        try:
            return str(self._signer().loads(signed, max_age=_NOTE_S))
        except BadSignature:
            return None

    def _signer(self) -> URLSafeTimedSerializer:
        assert self.id is not None
        return URLSafeTimedSerializer(
            self.id,
            salt="api-read-cache note",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


class Sessions:
    """All sessions; methods may raise `redis.RedisError`.

    Args:
        redis: where the proofs are stored.
        token: `ADMIN_TOKEN`.
    """

    def __init__(self, redis: Redis, token: str) -> None:
        self._redis = redis
        self._token = token

    def begin(self) -> str:
        """Begin a session; returns the value of its cookie."""
        session_id = secrets.token_urlsafe(_ID_BYTES)
        self._redis.set(_key(session_id), self._proof(session_id), ex=LIFETIME_S)
        return session_id

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie; None if it does not exist or has ended."""
        if not _ID.fullmatch(cookie):
            return None
        proof = self._redis.get(_key(cookie))
        if not isinstance(proof, bytes):
            return None
        return Session(cookie) if hmac.compare_digest(proof, self._proof(cookie)) else None

    def end(self, session: Session) -> None:
        """End a session, at every reader."""
        if session.id is not None:
            self._redis.delete(_key(session.id))

    def _proof(self, session_id: str) -> bytes:
        return _mac(self._token, f"session {session_id}").encode()


def _key(session_id: str) -> str:
    return keys.session(hashlib.sha256(session_id.encode()).hexdigest())


def _mac(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
