"""Where the fleet shares a GitHub App's token: in Redis, encrypted.

Redis is no place for secrets: readers look into it, it is backed up and copied. Only who holds the
App's private key, from which the key is derived, can read the token there; and who holds that could
ask GitHub for a token anyway.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from redis import Redis

from shared.redis import keys


@dataclass(frozen=True)
class AppToken:
    """An installation's token.

    Args:
        secret: the token.
        expires_at: Unix time, in seconds.
        permissions: what it may do, such as `contents: write`, by GitHub's names.
    """

    secret: str = field(repr=False)
    expires_at: float
    permissions: Mapping[str, str] = field(default_factory=dict)


class AppTokenStore:
    """One token of one installation; methods may raise `redis.RedisError`.

    Args:
        redis: where it is kept.
        credential: the installation's public id.
        key: the App's private key.
    """

    def __init__(self, redis: Redis, credential: str, key: RSAPrivateKey) -> None:
        self._redis = redis
        self._key = keys.app_token(credential)
        self._renewal = keys.app_renewal(credential)
        self._cipher = Fernet(_derived(key))

    def get(self) -> AppToken | None:
        """The current token; None where there is none, or none that was put with this key."""
        sealed = cast(bytes | None, self._redis.get(self._key))
        return None if sealed is None else self._opened(sealed)

    def put(self, token: AppToken, *, seconds: float) -> None:
        """Share a token for so many seconds."""
        parts = [token.secret, token.expires_at, dict(token.permissions)]
        sealed = self._cipher.encrypt(json.dumps(parts).encode())
        self._redis.set(self._key, sealed, px=max(1, int(seconds * 1000)))

    def discard(self, token: AppToken) -> None:
        """Share a token no more, unless another took its place already."""
        if self.get() == token:
            self._redis.delete(self._key)

    def claim_renewal(self, seconds: float) -> bool:
        """Be the one who brings the next token; gives whether we are.

        Args:
            seconds: after which somebody else may, if we die.
        """
        return bool(self._redis.set(self._renewal, 1, nx=True, px=int(seconds * 1000)))

    def end_renewal(self) -> None:
        """Let others bring the next one."""
        self._redis.delete(self._renewal)

    def _opened(self, sealed: bytes) -> AppToken | None:
        try:
            secret, expires_at, permissions = json.loads(self._cipher.decrypt(sealed))
        except InvalidToken:  # put with another private key
            return None
        return AppToken(secret, expires_at, permissions)


def _derived(key: RSAPrivateKey) -> bytes:
    """A key for this one purpose (RFC 5869)."""
    material = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    kdf = HKDF(SHA256(), length=32, salt=None, info=b"api-read-cache installation token")
    return base64.urlsafe_b64encode(kdf.derive(material))
