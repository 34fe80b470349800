"""A GitHub App's installation: tokens of an hour, got with the App's private key.

https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app
https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime

import jwt
import requests
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from redis import Redis
from urllib3.exceptions import HTTPError as TransportError

from refresher.errors import CredentialError, OriginError
from refresher.github.auth.app_token_store import AppToken, AppTokenStore
from refresher.github.auth.credentials import TOKEN_LIMIT, Sending
from refresher.github.body import read_body
from shared.errors import SettingsError
from shared.outcomes import FailureKind
from shared.settings import Settings

log = logging.getLogger("refresher")

RENEW_BEFORE = 300.0  # seconds before a token ends: the fleet's clocks and GitHub's may differ
_LAST_USE = 30.0  # seconds before its end to which an old token serves while a new one is late
_BACKDATED = 60  # seconds, as GitHub advises for clocks that differ
_JWT_LIFE = 300  # seconds; GitHub allows 600, by its own clock
# Every App has it. It shows the names of private repositories that the App is installed on.
_HARMLESS_PERMISSIONS = frozenset({("metadata", "read")})
_POLL = 0.1  # seconds between looks whether somebody else has brought the next token
_MAX_BYTES = 256 * 1024
_REFUSED_FOR = 600.0  # seconds; a key or an installation that GitHub does not know
_FAILED_FOR = 30.0  # seconds; GitHub fails


class AppInstallation:
    """A GitHub App's installation as a credential; methods may raise `redis.RedisError`.

    Its tokens change hourly, its rate limit does not: so its id is not that of a token.

    Args:
        settings: the App's ids, and where GitHub is.
        key: the App's private key.
        vault: where the fleet shares the current token.
        clock: gives Unix time in seconds.
        sleep: waits so many seconds for another process's token.
    """

    assumed_limit = TOKEN_LIMIT
    is_anonymous = False

    def __init__(
        self,
        settings: Settings,
        key: RSAPrivateKey,
        token_store: AppTokenStore,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._key = key
        self._token_store = token_store
        self._clock = clock
        self._sleep = sleep
        self._used: AppToken | None = None

    def __repr__(self) -> str:
        return f"Installation({self.id})"

    @property
    def id(self) -> str:
        """The installation's number, which is no secret."""
        return f"app-{self._settings.github_app_installation_id}"

    def authorization(self) -> str:
        """Value of the `Authorization` header; may ask GitHub for a token.

        Raises:
            CredentialError: there is none to be had at the moment.
        """
        if self._used is None or not self._lasts(self._used, RENEW_BEFORE):
            self._used = self._current()
        return f"Bearer {self._used.secret}"

    def renew(self) -> bool:
        """Throw away the token that GitHub refused, unless another one took its place already."""
        if self._used is not None:
            self._token_store.discard(self._used)
        self._used = None
        return True

    @property
    def is_outside(self) -> bool:
        """Whether it is known not to see an organisation's members."""
        permissions = self._permissions
        return bool(permissions) and "members" not in permissions

    @property
    def is_reading(self) -> bool:
        """Whether it is known to write no content, and so to see no drafts."""
        permissions = self._permissions
        return bool(permissions) and permissions.get("contents", "read") == "read"

    @property
    def _permissions(self) -> Mapping[str, str]:
        """Those of the token at hand; none where there is no token, or GitHub did not say.

        GitHub is not asked for one: if it refuses the App, other credentials can do without.
        """
        token = self._used
        if token is None or not self._lasts(token, _LAST_USE):
            token = self._token_store.get()
        return token.permissions if token and self._lasts(token, _LAST_USE) else {}

    def excess(self, headers: Mapping[str, str]) -> list[str]:  # noqa: ARG002
        """The permissions of its token that show more than the public sees."""
        permissions = self._used.permissions if self._used else {}
        return [
            f"has the permission {name}: {level}"
            for name, level in sorted(permissions.items())
            if (name, level) not in _HARMLESS_PERMISSIONS
        ]

    def _lasts(self, token: AppToken, seconds: float) -> bool:
        return token.expires_at - self._clock() > seconds

    def _current(self) -> AppToken:
        """The fleet's token, made anew by one process when it comes to its end."""
        patience = self._settings.origin_read_timeout
        while True:
            token = self._token_store.get()
            if token is not None and self._lasts(token, RENEW_BEFORE):
                return token
            if self._token_store.claim_renewal(self._settings.origin_deadline):
                return self._renewed()
            if token is not None and self._lasts(token, _LAST_USE):
                return token
            if patience <= 0:
                reason = "another refresher is still waiting for the GitHub App's token"
                raise CredentialError(FailureKind.TIMEOUT, reason, seconds=1)
            self._sleep(_POLL)
            patience -= _POLL

    def _renewed(self) -> AppToken:
        old = None
        try:
            # Somebody may have brought it between our look and our claim.
            old = self._token_store.get()
            if old is not None and self._lasts(old, RENEW_BEFORE):
                return old
            token = self._fetch()
        except CredentialError as error:
            if old is None or not self._lasts(old, _LAST_USE):
                raise
            log.warning("%s: the old token is used to its end", error.reason)
            return old
        else:
            self._token_store.put(token, seconds=token.expires_at - self._clock())
            log.info("GitHub gave %s a new token", self.id)
            return token
        finally:
            self._token_store.end_renewal()

    def _fetch(self) -> AppToken:
        settings = self._settings
        url = (
            f"{settings.github_api_url}/app/installations/"
            f"{settings.github_app_installation_id}/access_tokens"
        )
        deadline = time.monotonic() + settings.origin_deadline
        try:
            with requests.post(
                url,
                headers={"Accept": "application/vnd.github+json", "User-Agent": "api-read-cache"},
                auth=Sending(f"Bearer {self._assertion()}"),
                timeout=(settings.origin_connect_timeout, settings.origin_read_timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                status = response.status_code
                body = read_body(
                    response,
                    max_bytes=_MAX_BYTES,
                    is_late=lambda: time.monotonic() > deadline,
                )
        except OriginError as error:
            raise CredentialError(error.kind, error.reason, seconds=_FAILED_FOR) from error
        except (requests.RequestException, TransportError, OSError) as error:
            # The error's own text may hold more than one should see.
            reason = f"no token for the GitHub App: {type(error).__name__}"
            raise CredentialError(FailureKind.CONNECTION, reason, seconds=_FAILED_FOR) from error
        return _token_in(status, body)

    def _assertion(self) -> str:
        """The JSON web token that says that we are the App (RFC 7519)."""
        now = int(self._clock())
        claims = {
            "iss": self._settings.github_app_id,
            "iat": now - _BACKDATED,
            "exp": now + _JWT_LIFE,
        }
        return jwt.encode(claims, self._key, algorithm="RS256")


def installation_of(
    settings: Settings, redis: Redis, *, clock: Callable[[], float]
) -> AppInstallation | None:
    """The installation that the settings name, if they do.

    Args:
        settings: which name it.
        redis: where the fleet shares its tokens.
        clock: gives Unix time in seconds.

    Raises:
        SettingsError: its private key is none.
    """
    key = private_key_of(settings)
    if key is None:
        return None
    token_store = AppTokenStore(redis, f"app-{settings.github_app_installation_id}", key)
    return AppInstallation(settings, key, token_store, clock=clock)


def private_key_of(settings: Settings) -> RSAPrivateKey | None:
    """The GitHub App's private key; None where there is no App.

    Raises:
        SettingsError: it is none.
    """
    pem = settings.app_private_key
    if pem is None:
        return None
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = load_pem_private_key(pem.encode(), password=None)
        if isinstance(key, RSAPrivateKey):
            return key
    raise SettingsError("GITHUB_APP_PRIVATE_KEY: must be an RSA private key in PEM form")


def _token_in(status: int, body: bytes) -> AppToken:
    if status in {401, 403, 404}:
        reason = f"GitHub gives the GitHub App no token (answered {status})"
        raise CredentialError(FailureKind.UNAUTHORIZED, reason, seconds=_REFUSED_FOR)
    try:
        if status != 201:
            raise ValueError
        answer = json.loads(body)
        ends = datetime.fromisoformat(answer["expires_at"]).timestamp()
        secret = answer["token"]
        if not (isinstance(secret, str) and secret.isascii() and secret.isprintable()):
            raise ValueError
        permissions = {
            str(name): str(level) for name, level in dict(answer.get("permissions") or {}).items()
        }
    except (ValueError, KeyError, TypeError):
        reason = f"no token for the GitHub App: GitHub answered {status} without one"
        raise CredentialError(FailureKind.UNEXPECTED, reason, seconds=_FAILED_FOR) from None
    return AppToken(secret, ends, permissions)
