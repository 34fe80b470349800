"""The connections to GitHub of one process, shared by its threads.

Connections are kept open between requests. A connection that GitHub closed meanwhile costs one
repetition of a GET over a new connection, and is never a failure: such a request was not processed,
or can be repeated (RFC 9110 section 9.2.2).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ssl import SSLContext
from threading import Lock
from typing import Any

import requests
from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

from refresher.errors import OriginError
from refresher.github import permitted_requests
from refresher.github.bounded_connection import Bounds, bounded_pools
from shared.clock import Clock
from shared.outcomes import FailureKind
from shared.settings import Settings


class Transport:
    """Sends requests over kept-alive connections; safe to use in several threads.

    Make one for each process, after a fork.

    Args:
        settings: GitHub's address, and how long a response may take.
        clock: the process's clock.
    """

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        self.settings = settings
        self.monotonic = clock.monotonic
        self._bounds = Bounds(clock.monotonic, settings.origin_read_timeout)
        # Proxies and certificates as the environment of the process names them.
        self._environment = requests.Session().merge_environment_settings(
            settings.github_api_url, {}, True, None, None
        )
        self._adapter = _Adapter(
            bounded_pools(self._bounds),
            connections=settings.refresh_concurrency * settings.github_concurrency,
            certificates=self._environment["verify"],
        )

    @contextmanager
    def exchange(
        self, request: requests.PreparedRequest, *, ends_at: float
    ) -> Iterator[requests.Response]:
        """Send a request; the block reads the body of the response, in the same thread.

        Requests that do not read are refused here, whoever made them (`permitted_requests`). The
        body of a redirect is not read, and no cookies are kept.

        Args:
            request: see `prepared`.
            ends_at: time of the monotonic clock at which the exchange ends.

        Raises:
            requests.RequestException, urllib3.exceptions.HTTPError, OSError: there is no complete
                response.
            ForbiddenRequestError: it is none that may be sent.
        """
        permitted_requests.check(request.method, request.url, base=self.settings.github_api_url)
        with self._bounds.exchange(ends_at):
            response = self._send(request)
            with response:
                yield response

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._adapter.close()

    def _send(self, request: requests.PreparedRequest) -> requests.Response:
        bounds, settings = self._bounds, self.settings

        def send() -> requests.Response:
            timeouts = (
                bounds.left(settings.origin_connect_timeout),
                bounds.left(settings.origin_read_timeout),
            )
            proxies = self._environment["proxies"]
            return self._adapter.send(request, stream=True, timeout=timeouts, proxies=proxies)

        try:
            return send()
        except requests.ConnectionError:
            if request.method != "GET" or not bounds.found_closed:
                raise
            bounds.needs_new = True
            return send()


def failure_of(error: Exception, *, is_late: bool) -> OriginError:
    """What it means that an exchange ended without a response.

    The error's own text may contain the URL, a secret and more; its class says enough.

    Args:
        error: of `Transport.exchange`.
        is_late: whether the deadline of the exchange has passed.
    """
    if is_late or isinstance(error, requests.Timeout | TimeoutError):
        return OriginError(FailureKind.TIMEOUT, "GitHub did not respond in time")
    reason = f"the connection to GitHub failed ({type(error).__name__})"
    return OriginError(FailureKind.CONNECTION, reason)


def prepared(method: str, url: str, headers: Mapping[str, str]) -> requests.PreparedRequest:
    """A request with just these header fields; its `url` is normalised.

    `requests.Request.prepare` would look for a password in a .netrc file, for each request.

    Raises:
        requests.RequestException: the URL is not valid.
    """
    request = requests.PreparedRequest()
    request.method = method
    request.prepare_url(url, None)
    request.headers = CaseInsensitiveDict(headers)
    return request


class _Adapter(HTTPAdapter):
    """`requests`'s way to urllib3's pools: ours, with one TLS context for all connections.

    Args:
        pools: classes of pools by scheme.
        connections: number of connections that are kept.
        certificates: path of a file or directory of CA certificates, or the default ones.
    """

    def __init__(
        self,
        pools: dict[str, type[HTTPConnectionPool]],
        *,
        connections: int,
        certificates: str | bool | None,
    ) -> None:
        self._pools = pools
        self._certificates = certificates
        self._tls: SSLContext | None = None
        self._lock = Lock()
        super().__init__(pool_maxsize=connections)

    def init_poolmanager(self, *arguments: Any, **known: Any) -> None:
        """Make the pool manager."""
        super().init_poolmanager(*arguments, **known)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **known: Any) -> Any:
        """The pool manager of a proxy; SOCKS needs connections of its own kind."""
        with self._lock:
            manager = super().proxy_manager_for(proxy, **known)
            if not proxy.lower().startswith("socks"):
                manager.pool_classes_by_scheme = self._pools
            return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, *_: Any
    ) -> tuple[Any, Any]:
        """What a pool is chosen by."""
        host, _others = super().build_connection_pool_key_attributes(request, True)
        return host, {"ssl_context": self._context()} if host["scheme"] == "https" else {}

    def cert_verify(self, *_: Any) -> None:
        """Nothing to do: the TLS context verifies certificates."""

    def _context(self) -> SSLContext:
        """The TLS context; reading CA certificates takes longer than a request.

        Raises:
            OSError: the certificates cannot be read.
        """
        with self._lock:
            if self._tls is None:
                path = self._certificates
                place = path if isinstance(path, str) else DEFAULT_CA_BUNDLE_PATH
                context = create_urllib3_context()
                if os.path.isdir(place):
                    context.load_verify_locations(capath=place)
                else:
                    context.load_verify_locations(cafile=place)
                self._tls = context
            return self._tls
