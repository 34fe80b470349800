"""For tests: a GitHub App's keys, its entry in the server's `apps`, and its JWTs."""

import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.fakegithub.http_messages import compact_json

APP_ID: Final = 12345
INSTALLATION_ID: Final = 678


@dataclass(frozen=True)
class KeyPair:
    """An RSA key's two halves, PEM; the private one in the form that GitHub gives it (PKCS #1).

    loaded: the private one as a library's object: to load it from PEM takes longer than to sign.
    """

    private: str = field(repr=False)
    public: str
    loaded: RSAPrivateKey = field(repr=False)


@cache
def key_pair(number: int = 0) -> KeyPair:
    """A pair for this process, the same each time; another number is another pair."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private.decode(), public.decode(), key)


def app_entry(
    app_id: int | str = APP_ID, installation_id: int = INSTALLATION_ID, **options: Any
) -> dict[str, Any]:
    """An entry of `apps` with the usual key, for `configure` and `FakeGitHub`; see `apps.App`."""
    usual = {"public_key": key_pair().public}
    return {"app_id": app_id, "installation_id": installation_id, **usual, **options}


def app_jwt(app_id: int | str = APP_ID, *, pair: KeyPair | None = None, lifetime: int = 540) -> str:
    """A JWT that is valid now; `lifetime` in seconds, at most 600, negative for an expired one."""
    now = int(time.time())
    return signed({"iat": now - 60, "exp": now + lifetime, "iss": app_id}, pair)


def signed(claims: dict[str, Any], pair: KeyPair | None = None) -> str:
    """A JWT with any claims, also ones that a library would refuse to sign."""
    return jwt.PyJWS().encode(compact_json(claims), (pair or key_pair()).loaded, "RS256")
