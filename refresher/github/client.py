"""Sending one request to the origin and taking its answer in: whole, bounded, JSON or an error."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError as TransportError

from refresher.errors import CredentialError, OriginError
from refresher.github.auth.credentials import Credential, Sending
from refresher.github.body import read_body
from refresher.github.conditional import Identity, Validator
from refresher.github.rate_limit_headers import asked_pause, is_secondary, is_spent
from refresher.github.rate_limiter import NoRateLimiter, RateLimiter, Reservation
from refresher.github.response import GitHubResponse
from refresher.reporting.meter import Exchange
from shared.outcomes import FailureKind
from shared.settings import Settings

# https://docs.github.com/rest/about-the-rest-api/api-versions
API_VERSION = "2022-11-28"
MEDIA_TYPE = "application/vnd.github+json"
# GitHub refuses requests without one, and asks for one that names the application.
USER_AGENT = "api-read-cache"
MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PERMANENT = frozenset({301, 308})


class GitHubClient:
    """GitHub's API as the settings name it.

    Args:
        settings: where it is, and how long an answer may take.
        gate: what every request passes; without one, nothing holds requests back.
        observe: told of each request that passed it.
        stopwatch: gives seconds from any fixed point, never set back.
    """

    def __init__(
        self,
        settings: Settings,
        rate_limiter: RateLimiter | None = None,
        *,
        observe: Callable[[Exchange], None] = lambda _: None,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate_limiter = rate_limiter or NoRateLimiter(settings)
        self._observe = observe
        self._base = settings.github_api_url
        self._timeouts = (settings.origin_connect_timeout, settings.origin_read_timeout)
        self._deadline = settings.origin_deadline
        self._max_bytes = settings.origin_max_bytes
        self._stopwatch = stopwatch
        self._session = requests.Session()
        connections = HTTPAdapter(pool_maxsize=settings.github_concurrency)
        self._session.mount("https://", connections)
        self._session.mount("http://", connections)
        self._session.auth = Sending(None)
        self._session.headers.update(
            {
                "Accept": MEDIA_TYPE,
                "Accept-Encoding": "gzip",
                "User-Agent": USER_AGENT,
                "X-GitHub-Api-Version": API_VERSION,
            }
        )

    def url_of(self, target: str) -> str:
        """The URL of a path (with query) below the origin's base."""
        return self._base + target

    def owns(self, url: str) -> bool:
        """Whether a URL is on the origin itself: same scheme, host and port, below its base.

        Whoever could make us ask elsewhere could have us ask what only we can reach.
        """
        try:
            parts, base = urlsplit(url), urlsplit(self._base)
            is_there = _site(url) == _site(self._base)
        except ValueError:  # a port that is no number
            return False
        return is_there and "@" not in parts.netloc and parts.path.startswith(f"{base.path}/")

    @property
    def is_enterprise(self) -> bool:
        """Whether it is a GitHub Enterprise Server, whose API lies below this path."""
        return urlsplit(self._base).path.endswith("/api/v3")

    @property
    def credentials(self) -> Sequence[Credential]:
        """What it can be asked with; the anonymous credential alone where there is none."""
        return self._rate_limiter.credentials

    def get(
        self,
        url: str,
        validator: Validator | None = None,
        *,
        among: Collection[str] | None = None,
    ) -> GitHubResponse:
        """Fetch a URL, following redirects.

        Args:
            url: what to fetch.
            validator: what is known of it; the answer may be a 304 then.
            among: ids of the credentials that may be used beside none at all; None for any.

        Raises:
            OriginError: no complete answer, too many redirects, one that leads elsewhere, or more
                bytes than allowed.
        """
        deadline = self._stopwatch() + self._deadline
        asked, permanent = url, True
        for _ in range(MAX_REDIRECTS + 1):
            response = self._ask(url, validator, deadline, among)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or location is None:
                moved = permanent and url != asked and self.owns(url)
                return replace(response, moved_to=url if moved else None)
            permanent = permanent and response.status in _PERMANENT
            url = _target(url, location)
        raise OriginError(
            FailureKind.UNEXPECTED, "GitHub redirects in circles", status=response.status
        )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _ask(
        self,
        url: str,
        validator: Validator | None,
        deadline: float,
        among: Collection[str] | None,
    ) -> GitHubResponse:
        """One request, repeated with another credential where this one is refused or spent."""
        if not self.owns(url):
            raise OriginError(
                FailureKind.UNEXPECTED, "GitHub leads to another address than its own"
            )
        tried: set[str] = set()
        renewed: set[str] = set()
        while True:
            reservation = self._rate_limiter.reserve(url.removeprefix(self._base), among=among)
            credential = reservation.credential
            is_new = credential.id not in tried
            tried.add(credential.id)
            try:
                response = self._pass(url, reservation, validator, deadline)
            except CredentialError as error:
                if not self._rate_limiter.has_others:
                    raise
                self._rate_limiter.set_aside(credential, error.reason, error.seconds)
                if is_new:
                    continue
                raise
            if response.status == 401 and not credential.is_anonymous:
                if credential.id not in renewed and credential.renew():
                    renewed.add(credential.id)
                    continue
                if self._rate_limiter.set_aside(credential, "GitHub refuses it (401)") and is_new:
                    continue
            elif is_spent(response):
                if self._rate_limiter.has_others and is_new:
                    continue
            elif is_secondary(response):
                seconds = self._rate_limiter.pause(asked_pause(response.headers, now=0.0))
                reason = f"GitHub's secondary limit was met (answered {response.status})"
                raise OriginError(
                    FailureKind.RATE_LIMITED, reason, status=response.status, retry_after=seconds
                )
            return response

    def _pass(
        self, url: str, reservation: Reservation, validator: Validator | None, deadline: float
    ) -> GitHubResponse:
        status, headers = 0, CaseInsensitiveDict[str]()
        sent_at: float | None = None
        try:
            authorization = reservation.credential.authorization()
            sent_at = time.perf_counter()
            response = self._send(url, authorization, validator, deadline)
            status, headers = response.status, CaseInsensitiveDict(response.headers)
            return replace(response, credential=reservation.credential.id)
        finally:
            if sent_at is not None:
                took = time.perf_counter() - sent_at
                self._observe(Exchange(status or None, took, reservation.credential, headers))
            self._rate_limiter.settle(reservation, status, headers)

    def _send(
        self, url: str, authorization: str | None, validator: Validator | None, deadline: float
    ) -> GitHubResponse:
        identity = Identity(MEDIA_TYPE, authorization)
        conditions = {"If-None-Match": validator.if_none_match(identity)} if validator else {}
        try:
            with self._exchange(url, authorization, conditions) as raw:
                body = read_body(
                    raw,
                    max_bytes=self._max_bytes,
                    is_late=lambda: self._stopwatch() > deadline,
                )
                links = links_in(raw, url)
            return GitHubResponse(
                url,
                raw.status_code,
                raw.headers,
                body,
                links,
                identity.fingerprint,
                is_anonymous=authorization is None,
            )
        except requests.Timeout as error:
            raise OriginError(FailureKind.TIMEOUT, "GitHub did not answer in time") from error
        except (requests.RequestException, TransportError, OSError) as error:
            # The error's own text may hold the URL and more; its class says enough.
            reason = f"the connection to GitHub failed ({type(error).__name__})"
            raise OriginError(FailureKind.CONNECTION, reason) from error
        except ValueError as error:
            raise OriginError(FailureKind.UNEXPECTED, "GitHub gave an invalid address") from error

    def _exchange(
        self, url: str, authorization: str | None, headers: dict[str, str]
    ) -> requests.Response:
        """One request and the head of its answer.

        Not `Session.get`: that reads the body of a redirect, of any length, even when told not to
        follow, and keeps cookies.
        """
        prepared = self._session.prepare_request(
            requests.Request("GET", url, headers, auth=Sending(authorization))
        )
        address = str(prepared.url)  # what is sent, however it was written
        if not self.owns(address):
            raise ValueError("not on the origin")
        environment = self._session.merge_environment_settings(address, {}, True, None, None)
        return self._session.get_adapter(address).send(
            prepared,
            stream=True,
            timeout=self._timeouts,
            verify=environment["verify"] or True,
            cert=environment["cert"],
            proxies=environment["proxies"],
        )


def links_in(raw: requests.Response, url: str) -> dict[str, str]:
    """The targets in `Link` by their relation (RFC 8288).

    Args:
        response: with the field, or without.
        url: that was asked for; targets may be relative to it.

    Raises:
        ValueError: a target is no address.
    """
    return {relation: urljoin(url, link["url"]) for relation, link in raw.links.items()}


def _target(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        reason = "GitHub redirects to an invalid address"
        raise OriginError(FailureKind.UNEXPECTED, reason) from error


def _site(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default
