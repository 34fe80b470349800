"""The current request as Flask has it, and responses that Flask sends unchanged."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Response, current_app, request
from werkzeug.datastructures import Headers

from reader.cache.age_bound import AgeBound, bound_of
from reader.errors import BadRequest
from reader.process import ReaderProcess
from reader.response.client_url import Address, Peer, is_host, is_trusted
from reader.response.response import HttpResponse, RequestFields
from reader.web.asgi_types import STREAM
from reader.web.client_address import client_address as address_of_client

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_AUTHORITY = re.compile("https?://(?:[^/?@]*@)?([^/?]+)", re.IGNORECASE)


def process() -> ReaderProcess:
    """The reader process that serves the request."""
    found = current_app.extensions["process"]
    assert isinstance(found, ReaderProcess)
    return found


def target() -> str:
    """The request target as the client sent it.

    WSGI's own PATH_INFO is decoded, so `%2F` and `/` are the same in it. RAW_URI, which gunicorn
    and Werkzeug set, is not decoded, nor is an ASGI server's `raw_path`. With neither of them,
    the target is the decoded path, encoded again.
    """
    return target_of(request.environ)


def target_of(environ: "WSGIEnvironment") -> str:
    """The same of any request."""
    query = environ.get("QUERY_STRING", "")
    raw_path = environ.get("asgi.scope", {}).get("raw_path")
    raw = _joined(raw_path.decode("latin-1"), query) if raw_path else environ.get("RAW_URI", "")
    if raw.startswith("/"):
        return str(raw)
    decoded = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return _joined(quote(decoded.encode("latin-1", "replace")) or "/", query)


def address() -> Address:
    """The address that the client used."""
    settings = process().settings
    is_proxy = is_trusted(client(), settings.trusted_networks)
    peer = Peer(request.environ["wsgi.url_scheme"], is_proxy, settings.public_url or "")
    return peer.address(
        _host(),
        forwarded_host=header("X-Forwarded-Host"),
        forwarded_proto=header("X-Forwarded-Proto"),
    )


def _host() -> str | None:
    """The host that the client named; None if it named none.

    One in the target counts more than `Host` (RFC 9112 section 3.2.2). The ASGI application has put
    it there already.
    """
    host = header("Host")
    named = _AUTHORITY.match(request.environ.get("RAW_URI", ""))
    return named[1] if named and is_host(host or "") else host


def check_head() -> None:
    """Check what every server has to refuse, whatever is requested (RFC 9112 section 3.2).

    Raises:
        BadRequest: `Host` is missing or not a host, or the target has a fragment.
    """
    if "#" in target():
        raise BadRequest("The request target has a fragment.")
    if header("Host") is None and request.environ["SERVER_PROTOCOL"] == "HTTP/1.1":
        raise BadRequest("The request has no Host header.")
    origin()


def origin() -> str:
    """Scheme and authority that the client used.

    Raises:
        BadRequest: the value of `Host` is not a host.
    """
    return address().origin


def fields() -> RequestFields:
    """The fields that a response with content depends on.

    Raises:
        BadRequest: the value of `Host` is not a host.
    """
    return RequestFields(
        url=address().url_of(target()),
        base=address().base,
        accept_encoding=header("Accept-Encoding"),
        if_none_match=header("If-None-Match"),
        if_modified_since=header("If-Modified-Since"),
    )


def age_bound() -> AgeBound:
    """How old content may be for the client."""
    floor = process().settings.client_age_floor
    return bound_of(header("Cache-Control"), header("Pragma"), floor=floor)


def client() -> str:
    """IP address of the peer."""
    return str(request.environ.get("REMOTE_ADDR", ""))


def client_address() -> str:
    """The address by which clients take turns; that of the client behind trusted proxies."""
    return address_of_client(
        client(),
        header("X-Forwarded-For"),
        trusted=process().settings.trusted_networks,
    )


def header(name: str) -> str | None:
    """The value of a header field; None if absent."""
    return request.headers.get(name)


def response(ready: HttpResponse) -> Response:
    """A Flask response that sends another response unchanged."""
    sent = _Exact(_body(ready), status=ready.status)
    # Flask's own Content-Type and Content-Length are replaced.
    sent.headers.clear()
    sent.headers.extend(ready.headers)
    sent.automatically_set_content_length = False
    return sent


def _body(ready: HttpResponse) -> bytes | Iterable[bytes]:
    """The body as Flask sends it; empty if the event loop sends it in pieces."""
    pieces = ready.body if ready.stream is None else ready.stream
    if isinstance(pieces, bytes):
        return pieces
    if request.environ["SERVER_PROTOCOL"] == "HTTP/1.0" and ready.stream is not None:
        # It has no chunks. What is sent is made again: nobody can make us keep a copy for him.
        ready.headers["Content-Length"] = str(sum(map(len, pieces)))
    scope = request.environ.get("asgi.scope")
    if scope is None:
        return pieces
    if request.method != "HEAD":
        scope[STREAM] = pieces
    return b""


class _Exact(Response):
    """A response that is sent unchanged, as by the front; Werkzeug would remove fields of a 304."""

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:  # noqa: ARG002
        """The fields, unchanged."""
        return self.headers


def _joined(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path
