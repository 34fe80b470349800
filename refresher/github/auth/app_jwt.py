"""A GitHub App as itself: the JSON Web Token that proves that we are it (RFC 7519).

https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
"""

from contextlib import suppress

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shared.clock import Clock
from shared.errors import SettingsError
from shared.settings import Settings

_BACKDATED = 60  # seconds; GitHub advises it because clocks differ
_LIFE = 300  # seconds; GitHub allows 600 by its own clock


def app_authorization(settings: Settings, key: RSAPrivateKey, clock: Clock) -> str:
    """Value of the `Authorization` header of a request by the App itself, a secret."""
    now = int(clock.now())
    claims = {"iss": settings.github_app_id, "iat": now - _BACKDATED, "exp": now + _LIFE}
    return f"Bearer {jwt.encode(claims, key, algorithm='RS256')}"


def private_key_of(settings: Settings) -> RSAPrivateKey | None:
    """The GitHub App's private key; None if no App is configured.

    Raises:
        SettingsError: `GITHUB_APP_PRIVATE_KEY` is not an RSA private key.
    """
    pem = settings.app_private_key
    if pem is None:
        return None
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = load_pem_private_key(pem.encode(), password=None)
        if isinstance(key, RSAPrivateKey):
            return key
    raise SettingsError("GITHUB_APP_PRIVATE_KEY: must be an RSA private key in PEM form")
