"""A GitHub App's installation as a credential: hourly tokens, requested with a private key.

https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app
"""

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from threading import Lock

import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from redis import Redis
from urllib3.exceptions import HTTPError as TransportError

from refresher.errors import CredentialError, OriginError
from refresher.github.auth.app_jwt import app_authorization, private_key_of
from refresher.github.auth.app_token_store import AppToken, AppTokenStore
from refresher.github.auth.credentials import REFUSED_FOR, TOKEN_LIMIT
from refresher.github.body import message_in, read_body
from refresher.github.request_headers import MEDIA_TYPE, USER_AGENT
from refresher.github.transport import Transport, failure_of, prepared
from shared.clock import Clock
from shared.outcomes import FailureKind

log = logging.getLogger("refresher")

RENEW_BEFORE = 300.0  # seconds before a token expires: clocks of the fleet and of GitHub differ
_LAST_USE = 30.0  # seconds before its end; until then an old token serves if a new one is late
_AGAIN_S = 20.0  # seconds between two tries to get a new one while an old one serves
# Every App has this permission. It shows the names of private repositories that the App is
# installed on.
_HARMLESS_PERMISSIONS = frozenset({("metadata", "read")})
_POLL = 0.1  # seconds between two checks whether another process has stored the next token
_MAX_BYTES = 256 * 1024
_FAILED_FOR = 30.0  # seconds until the next request for a token after GitHub failed


class AppInstallation:
    """A GitHub App's installation as a credential; methods may raise `redis.RedisError`.

    Its tokens change hourly, but the rate limit belongs to the installation. So the id is that of
    the installation. Of a process's threads, one gets the next token while the others wait for it;
    if it fails, they fail with it.

    Args:
        transport: the connections of the process; its settings name the App.
        key: the App's private key.
        token_store: holds the current token of the fleet.
        clock: the process's clock.
    """

    assumed_limit = TOKEN_LIMIT
    is_anonymous = False

    def __init__(
        self,
        transport: Transport,
        key: RSAPrivateKey,
        token_store: AppTokenStore,
        *,
        clock: Clock,
    ) -> None:
        self._transport = transport
        self._settings = transport.settings
        self._key = key
        self._token_store = token_store
        self._clock = clock
        self._used: AppToken | None = None
        self._lock = Lock()
        self._attempts = 0  # to get the next token, that have ended
        self._failure: CredentialError | None = None  # of the last attempt

    def __repr__(self) -> str:
        return f"AppInstallation({self.id})"

    @property
    def id(self) -> str:
        """The installation's number, which is not a secret."""
        return f"app-{self._settings.github_app_installation_id}"

    def authorization(self) -> str:
        """Value of the `Authorization` header; may request a token from GitHub.

        Raises:
            CredentialError: no token can be obtained at the moment.
        """
        used, attempts = self._used, self._attempts
        if used is not None and self._lasts(used, RENEW_BEFORE):
            return used.authorization
        is_usable = used is not None and self._lasts(used, _LAST_USE)
        if not self._lock.acquire(blocking=not is_usable):
            assert used is not None
            return used.authorization
        try:
            return self._next(attempts).authorization
        finally:
            self._lock.release()

    def _next(self, attempts: int) -> AppToken:
        """The token to use from now on, or the failure of an attempt that ended meanwhile.

        Args:
            attempts: number of attempts when the caller began to wait for the lock, which it holds.
        """
        if self._attempts > attempts and self._failure is not None:
            failure = self._failure
            raise CredentialError(failure.kind, failure.reason, seconds=failure.seconds)
        used = self._used
        if used is not None and self._lasts(used, RENEW_BEFORE):
            return used
        self._failure = None
        try:
            self._used = self._current()
        except CredentialError as error:
            self._failure = error
            raise
        finally:
            self._attempts += 1
        return self._used

    def renew(self, refused: str | None) -> bool:
        """Discard the token that GitHub refused, unless another one has replaced it already."""
        with self._lock:
            if self._used is not None and self._used.authorization == refused:
                self._token_store.discard(self._used)
                self._used = None
        return True

    @property
    def is_outside(self) -> bool:
        """Whether GitHub said that it does not see an organisation's members."""
        permissions = self._permissions
        return bool(permissions) and "members" not in permissions

    @property
    def is_reading(self) -> bool:
        """Whether GitHub said that it may not write content, and so does not see drafts."""
        permissions = self._permissions
        return bool(permissions) and permissions.get("contents", "read") == "read"

    @property
    def _permissions(self) -> Mapping[str, str]:
        """Permissions of the current token; empty if there is no token or GitHub did not say.

        This does not request a token: if GitHub refuses the App, other credentials still work.
        """
        token = self._used
        if token is None or not self._lasts(token, _LAST_USE):
            token = self._token_store.get()
        return token.permissions if token and self._lasts(token, _LAST_USE) else {}

    def excess(self, headers: Mapping[str, str]) -> list[str]:  # noqa: ARG002
        """The permissions of its token that show more than public data."""
        permissions = self._used.permissions if self._used else {}
        return [
            f"has the permission {name}: {level}"
            for name, level in sorted(permissions.items())
            if (name, level) not in _HARMLESS_PERMISSIONS
        ]

    def _lasts(self, token: AppToken, seconds: float) -> bool:
        return token.expires_at - self._clock.now() > seconds

    def _current(self) -> AppToken:
        """The fleet's token. One process renews it before it expires; the others wait."""
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
            self._clock.sleep(_POLL)
            patience -= _POLL

    def _renewed(self) -> AppToken:
        """The next token; the old one until GitHub gives one: it is asked again later."""
        old, pause = None, 0.0
        try:
            # Another process may have stored it between our check and our claim.
            old = self._token_store.get()
            if old is not None and self._lasts(old, RENEW_BEFORE):
                return old
            token = self._fetch()
        except CredentialError as error:
            if old is None or not self._lasts(old, _LAST_USE):
                raise
            left = old.expires_at - self._clock.now()
            pause = min(_AGAIN_S, left - _LAST_USE)
            log.warning(
                "%s: the old token is used until it expires, in %.0f s; next try in %.0f s",
                error.reason,
                left,
                pause,
            )
            return old
        else:
            self._token_store.put(token, seconds=token.expires_at - self._clock.now())
            log.info("GitHub issued a new token for %s", self.id)
            return token
        finally:
            self._token_store.end_renewal(pause)

    def _fetch(self) -> AppToken:
        settings = self._settings
        url = (
            f"{settings.github_api_url}/app/installations/"
            f"{settings.github_app_installation_id}/access_tokens"
        )
        monotonic = self._clock.monotonic
        ends_at = monotonic() + settings.origin_deadline

        def is_late() -> bool:
            return monotonic() > ends_at

        headers = {
            "Accept": MEDIA_TYPE,
            "User-Agent": USER_AGENT,
            "Authorization": app_authorization(settings, self._key, self._clock),
        }
        try:
            request = prepared("POST", url, headers)
            with self._transport.exchange(request, ends_at=ends_at) as response:
                status = response.status_code
                body = read_body(response, max_bytes=_MAX_BYTES, is_late=is_late)
        except OriginError as error:
            raise CredentialError(error.kind, error.reason, seconds=_FAILED_FOR) from error
        except (requests.RequestException, TransportError, OSError) as error:
            # The error's own text may contain a secret.
            reason = f"no token for the GitHub App: {type(error).__name__}"
            kind = failure_of(error, is_late=is_late()).kind
            raise CredentialError(kind, reason, seconds=_FAILED_FOR) from error
        return _token_in(status, body)


def installation_of(transport: Transport, redis: Redis, *, clock: Clock) -> AppInstallation | None:
    """The installation in the settings; None if they name no GitHub App.

    Args:
        transport: the connections of the process, and its settings.
        redis: holds the tokens that the fleet shares.
        clock: the process's clock.

    Raises:
        SettingsError: `GITHUB_APP_PRIVATE_KEY` is not a private key.
    """
    key = private_key_of(transport.settings)
    if key is None:
        return None
    credential = f"app-{transport.settings.github_app_installation_id}"
    token_store = AppTokenStore(redis, credential, key)
    return AppInstallation(transport, key, token_store, clock=clock)


def _token_in(status: int, body: bytes) -> AppToken:
    if status in {401, 403, 404}:
        said = message_in(body)
        reason = f"GitHub gives the GitHub App no token (answered {status}{said and ': ' + said})"
        raise CredentialError(FailureKind.UNAUTHORIZED, reason, seconds=REFUSED_FOR)
    try:
        if status != 201:
            raise ValueError
        issued = json.loads(body)
        ends = datetime.fromisoformat(issued["expires_at"]).timestamp()
        secret = issued["token"]
        if not (isinstance(secret, str) and secret.isascii() and secret.isprintable()):
            raise ValueError
        permissions = {
            str(name): str(level) for name, level in dict(issued.get("permissions") or {}).items()
        }
    except (ValueError, KeyError, TypeError):
        reason = f"no token for the GitHub App: GitHub answered {status} without one"
        raise CredentialError(FailureKind.UNEXPECTED, reason, seconds=_FAILED_FOR) from None
    return AppToken(secret, ends, permissions)
