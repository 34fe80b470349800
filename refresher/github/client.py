"""HTTP client for GitHub: sends requests, reads bounded responses, follows redirects."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError as TransportError

from refresher.errors import CredentialError, OriginError
from refresher.github.auth.credentials import Credential
from refresher.github.body import read_body
from refresher.github.conditional import Identity, Validator
from refresher.github.exchange import Exchange
from refresher.github.rate_limit_headers import asked_pause
from refresher.github.rate_limiter import NoRateLimiter, RateLimiter, Reservation
from refresher.github.request_headers import Selected
from refresher.github.response import GitHubResponse
from refresher.github.response_check import Refusal, refusal_in
from refresher.github.transport import Transport, failure_of, prepared
from shared.clock import Clock
from shared.outcomes import FailureKind

MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PERMANENT = frozenset({301, 308})
_NO_HEADERS: Mapping[str, str] = CaseInsensitiveDict()


class GitHubClient:
    """A client of GitHub's API, or of another one that the settings name; cheap to make.

    Args:
        transport: the connections of the process.
        rate_limiter: every request is reserved with it; None to send requests without a limit.
        observe: called after each request, possibly in several threads; must not raise.
        clock: the process's clock.
        selected: the representation that requests select; None for JSON in the settings' version.
    """

    def __init__(
        self,
        transport: Transport,
        rate_limiter: RateLimiter | None = None,
        *,
        observe: Callable[[Exchange], None] = lambda _: None,
        clock: Clock,
        selected: Selected | None = None,
    ) -> None:
        settings = transport.settings
        self._selected = selected or Selected(api_version=settings.github_api_version)
        self.transport = transport
        self._rate_limiter = rate_limiter or NoRateLimiter(settings)
        self._observe = observe
        self._base = settings.github_api_url
        self._deadline = settings.origin_deadline
        self._max_bytes = settings.origin_max_bytes
        self._clock = clock

    @property
    def for_further_pages(self) -> "GitHubClient":
        """The same client for the pages of a list after its first one."""
        return self._with(self._rate_limiter.for_further_pages, self._selected)

    def selecting(self, selected: Selected) -> "GitHubClient":
        """The same client for another representation."""
        return self._with(self._rate_limiter, selected)

    def _with(self, rate_limiter: RateLimiter, selected: Selected) -> "GitHubClient":
        return GitHubClient(
            self.transport,
            rate_limiter,
            observe=self._observe,
            clock=self._clock,
            selected=selected,
        )

    def url_of(self, target: str) -> str:
        """The URL of a path (with query) below the API's base URL."""
        return self._base + target

    def owns(self, url: str) -> bool:
        """Whether a URL is GitHub's own: same scheme, host and port, below the base URL.

        A request to any other address could reach hosts that only the refreshers can reach (server-
        side request forgery).
        """
        try:
            parts, base = urlsplit(url), urlsplit(self._base)
            is_there = _site(url) == _site(self._base)
        except ValueError:  # the port is not a number
            return False
        return is_there and "@" not in parts.netloc and parts.path.startswith(f"{base.path}/")

    @property
    def is_enterprise(self) -> bool:
        """Whether it is a GitHub Enterprise Server, whose API is at `/api/v3`."""
        return urlsplit(self._base).path.endswith("/api/v3")

    @property
    def credentials(self) -> Sequence[Credential]:
        """All credentials; only the anonymous one if none are configured."""
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
            validator: of the stored page; the response may then be a 304.
            among: ids of the credentials that may be used, besides the anonymous one; None for any.

        Raises:
            OriginError: there was no complete response, the response had too many bytes, there were
                too many redirects, or one led to another host.
        """
        patience = _Patience(self._deadline)
        asked, permanent = url, True
        for _ in range(MAX_REDIRECTS + 1):
            response = self._ask(url, validator, patience, among)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or location is None:
                moved = permanent and url != asked and self.owns(url)
                return replace(response, moved_to=url if moved else None)
            permanent = permanent and response.status in _PERMANENT
            url = _target(url, location)
        raise OriginError(
            FailureKind.UNEXPECTED, "GitHub redirects in circles", status=response.status
        )

    def _ask(
        self,
        url: str,
        validator: Validator | None,
        patience: "_Patience",
        among: Collection[str] | None,
    ) -> GitHubResponse:
        """Send a request; repeat it with another credential if this one is refused or spent."""
        if not self.owns(url):
            raise OriginError(
                FailureKind.UNEXPECTED, "GitHub leads to an address that is not its own"
            )
        tried: set[str] = set()
        renewed: set[str] = set()
        while True:
            reservation = self._rate_limiter.reserve(url.removeprefix(self._base), among=among)
            credential = reservation.credential
            is_new = credential.id not in tried
            tried.add(credential.id)
            try:
                response, authorization = self._send_reserved(url, reservation, validator, patience)
            except CredentialError as error:
                if not self._rate_limiter.has_others:
                    raise
                self._rate_limiter.set_aside(credential, error.reason, error.seconds)
                if is_new:
                    continue
                raise
            match refusal_in(response):
                case Refusal.CREDENTIAL:
                    if credential.id not in renewed and credential.renew(authorization):
                        renewed.add(credential.id)
                        continue
                    has_others = self._rate_limiter.set_aside(credential, "GitHub refuses it (401)")
                    if has_others and is_new:
                        continue
                case Refusal.SPENT:
                    if self._rate_limiter.has_others and is_new:
                        continue
                case Refusal.SECONDARY:
                    raise self._pause(response)
                case None:
                    pass
            return response

    def _pause(self, response: GitHubResponse) -> OriginError:
        """Pause the fleet because of a secondary limit; return the error to raise."""
        asked = asked_pause(response.headers, now=self._clock.now())
        return OriginError(
            FailureKind.RATE_LIMITED,
            f"GitHub's secondary limit was met (answered {response.status})",
            status=response.status,
            retry_after=self._rate_limiter.pause(asked),
        )

    def _send_reserved(
        self,
        url: str,
        reservation: Reservation,
        validator: Validator | None,
        patience: "_Patience",
    ) -> tuple[GitHubResponse, str | None]:
        """Send a reserved request; settle the reservation whatever happens.

        Returns:
            The response, and the `Authorization` that was sent.
        """
        status, headers = 0, _NO_HEADERS
        sent_at: float | None = None
        monotonic = self._clock.monotonic
        try:
            authorization = reservation.credential.authorization()
            sent_at = monotonic()
            response = self._send(url, authorization, validator, sent_at + patience.left)
            status, headers = response.status, response.headers
            return replace(response, credential=reservation.credential.id), authorization
        finally:
            if sent_at is not None:
                took = monotonic() - sent_at
                patience.left -= took
                self._observe(Exchange(status or None, took, reservation.credential, headers))
            self._rate_limiter.settle(reservation, status, headers)

    def _send(
        self, url: str, authorization: str | None, validator: Validator | None, ends_at: float
    ) -> GitHubResponse:
        identity = Identity(self._selected.accept, authorization)
        headers = dict(self._selected.headers)
        if authorization is not None:
            headers["Authorization"] = authorization
        if validator:
            headers["If-None-Match"] = validator.if_none_match(identity)

        def is_late() -> bool:
            return self._clock.monotonic() > ends_at

        try:
            request = prepared("GET", url, headers)
            if not self.owns(str(request.url)):  # the normalised form, which is what is sent
                raise ValueError("not on GitHub")
            with self.transport.exchange(request, ends_at=ends_at) as raw:
                body = read_body(raw, max_bytes=self._max_bytes, is_late=is_late)
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
        except (requests.RequestException, TransportError, OSError) as error:
            raise failure_of(error, is_late=is_late()) from error
        except ValueError as error:
            raise OriginError(FailureKind.UNEXPECTED, "GitHub gave an invalid address") from error


@dataclass
class _Patience:
    """Time for the exchanges of one call; waiting for permission to send does not count.

    Args:
        left: seconds.
    """

    left: float


def links_in(raw: requests.Response, url: str) -> dict[str, str]:
    """The targets of the `Link` field by relation (RFC 8288); empty without the field.

    Args:
        raw: the response.
        url: of the request; targets may be relative to it.

    Raises:
        ValueError: a target is not a valid URL.
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
