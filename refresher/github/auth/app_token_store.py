"""The GitHub App's token in Redis, encrypted, shared by the fleet.

Redis is not a place for plain secrets: readers have access to it, and it is backed up and copied.
The encryption key is derived from the App's private key. So only a holder of the private key can
read the token, and such a holder could request a token from GitHub anyway.
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
        expires_at: Unix time in seconds.
        permissions: level by name, as GitHub writes them, such as `contents: write`.
    """

    secret: str = field(repr=False)
    expires_at: float
    permissions: Mapping[str, str] = field(default_factory=dict)

    @property
    def authorization(self) -> str:
        """Value of the `Authorization` header, a secret."""
        return f"Bearer {self.secret}"


class AppTokenStore:
    """The current token of one installation; methods may raise `redis.RedisError`.

    Args:
        redis: holds the token.
        credential: the installation's public id.
        key: the App's private key.
    """

    def __init__(self, redis: Redis, credential: str, key: RSAPrivateKey) -> None:
        self._redis = redis
        self._key = keys.app_token(credential)
        self._renewal = keys.app_renewal(credential)
        self._cipher = Fernet(_derived(key))

    def get(self) -> AppToken | None:
        """The current token; None if no token is stored, or if another key encrypted it."""
        sealed = cast(bytes | None, self._redis.get(self._key))
        return None if sealed is None else self._opened(sealed)

    def put(self, token: AppToken, *, seconds: float) -> None:
        """Store a token for a number of seconds."""
        parts = [token.secret, token.expires_at, dict(token.permissions)]
        sealed = self._cipher.encrypt(json.dumps(parts).encode())
        self._redis.set(self._key, sealed, px=max(1, int(seconds * 1000)))

    def discard(self, token: AppToken) -> None:
        """Remove a token, unless another one has replaced it already."""
        if self.get() == token:
            self._redis.delete(self._key)

    def claim_renewal(self, seconds: float) -> bool:
        """Try to become the process that renews the token; return whether it worked.

        Args:
            seconds: after which the claim expires, if this process dies.
        """
        return bool(self._redis.set(self._renewal, 1, nx=True, px=int(seconds * 1000)))

    def end_renewal(self, pause: float = 0.0) -> None:
        """Give up the claim of `claim_renewal`.

        Args:
            pause: seconds for which nobody is to renew the token.
        """
        if pause > 0:
            self._redis.set(self._renewal, 1, px=max(1, int(pause * 1000)))
        else:
            self._redis.delete(self._renewal)

    def _opened(self, sealed: bytes) -> AppToken | None:
        try:
            secret, expires_at, permissions = json.loads(self._cipher.decrypt(sealed))
        except InvalidToken:  # stored with another private key
            return None
        return AppToken(secret, expires_at, permissions)


def _derived(key: RSAPrivateKey) -> bytes:
    """An encryption key for this single purpose, derived with HKDF (RFC 5869)."""
    material = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    kdf = HKDF(SHA256(), length=32, salt=None, info=b"api-read-cache installation token")
    return base64.urlsafe_b64encode(kdf.derive(material))
