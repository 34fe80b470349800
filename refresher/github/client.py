"""HTTP client for GitHub: sends requests, reads bounded responses, follows redirects."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError as TransportError

from refresher.errors import CredentialError, LedElsewhereError, OriginError
from refresher.github import addresses
from refresher.github import response_outcomes as means
from refresher.github.auth.credentials import Credential
from refresher.github.body import read_body
from refresher.github.conditional import Identity, Validator
from refresher.github.exchange import Exchange
from refresher.github.rate_limit_headers import asked_pause
from refresher.github.rate_limiter import NoRateLimiter, RateLimiter, Reservation
from refresher.github.refusal_words import Scope
from refresher.github.request_headers import Selected
from refresher.github.response import GitHubResponse
from refresher.github.response_decision import decision_on
from refresher.github.transport import Transport, failure_of, prepared
from shared.clock import Clock
from shared.outcomes import FailureKind

MAX_REDIRECTS = 5

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

    @property
    def base(self) -> str:
        """The API's base URL, without a slash at the end."""
        return self._base

    def url_of(self, target: str) -> str:
        """The URL of a path (with query) below the API's base URL."""
        return self._base + target

    def owns(self, url: str) -> bool:
        """Whether a URL is the API's own; see `addresses.is_own`."""
        return addresses.is_own(url, self._base)

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
                too many redirects, or one led to another host (`LedElsewhereError`), except to that
                of archives: then the redirect is the response.
        """
        patience = _Patience(self._deadline)
        asked, permanent, began = url, True, self._clock.now()
        for _ in range(MAX_REDIRECTS + 1):
            response, outcome = self._ask(url, validator, patience, among)
            match outcome:
                case means.Moved(target, is_permanent):
                    url, permanent = target, permanent and is_permanent
                case means.Elsewhere():
                    raise LedElsewhereError(response.status)
                case _:
                    is_moved = permanent and url != asked
                    return replace(response, moved_to=url, moved_at=began) if is_moved else response
        raise OriginError(
            FailureKind.UNEXPECTED, "GitHub redirects in circles", status=response.status
        )

    def _ask(
        self,
        url: str,
        validator: Validator | None,
        patience: "_Patience",
        among: Collection[str] | None,
    ) -> tuple[GitHubResponse, means.ResponseOutcome]:
        """Send a request; repeat it with another credential if this one is refused or spent.

        Returns:
            The response, and what it means for whoever sends requests.
        """
        if not self.owns(url):
            raise OriginError(
                FailureKind.UNEXPECTED, "GitHub leads to an address that is not its own"
            )
        tried, renewed = set[str](), set[str]()
        target = url.removeprefix(self._base)
        while True:
            reservation = self._rate_limiter.reserve(target, among=among)
            credential = reservation.credential
            is_new = credential.id not in tried
            tried.add(credential.id)
            try:
                response, authorization = self._send_reserved(url, reservation, validator, patience)
            except CredentialError as error:
                if self._may_do_without(credential, error) and is_new:
                    continue
                raise
            outcome = decision_on(response, base=self._base, now=self._clock.now())
            match outcome:
                case means.CredentialRefused(scope, message):
                    is_unknown = response.status == 401 and credential.id not in renewed
                    if is_unknown and credential.renew(authorization):
                        renewed.add(credential.id)
                        continue
                    if self._refuse(credential, target, scope, message) and is_new:
                        continue
                case means.Limited(is_secondary=False):
                    if self._rate_limiter.has_others and is_new:
                        continue
                case means.Limited():
                    raise self._pause(response)
                case _:
                    pass
            return response, outcome

    def _may_do_without(self, credential: Credential, error: CredentialError) -> bool:
        """Set a credential aside that cannot be used; return whether the request may be repeated.

        A single credential is not set aside for a fault that may be over soon: requests without it
        have a small limit.
        """
        if error.kind is not FailureKind.UNAUTHORIZED and not self._rate_limiter.has_others:
            return False
        return self._rate_limiter.set_aside(credential, error.reason, error.seconds)

    def _refuse(self, credential: Credential, target: str, scope: Scope, message: str) -> bool:
        """Remember that GitHub refuses a credential; return whether the request may be repeated."""
        if scope is Scope.EVERYWHERE:
            return self._rate_limiter.set_aside(credential, message or "GitHub refuses it")
        place = addresses.place_of(target)
        if scope is Scope.OWNER:
            place = place._replace(operation="")
        return self._rate_limiter.refuse(credential, place, message)

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
                links = links_in(raw, url, self._base)
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


def links_in(raw: requests.Response, url: str, base: str) -> dict[str, str]:
    """The targets of the `Link` field by relation (RFC 8288); empty without the field.

    Args:
        raw: the response.
        url: of the request; targets may be relative to it.
        base: of the API: of a target at another one, path and query count.

    Raises:
        ValueError: a target is not a valid URL.
    """
    return {
        relation: addresses.rebased(link["url"], asked=url, base=base)
        for relation, link in raw.links.items()
    }
