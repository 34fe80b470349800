"""What a request says, as Flask has it, and the answers that Flask sends as they stand."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Response, current_app, request
from werkzeug.datastructures import Headers

from reader.process import ReaderProcess
from reader.response.client_url import Address, is_trusted
from reader.response.response import HttpResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def process() -> ReaderProcess:
    """The reader that is asked."""
    found = current_app.extensions["process"]
    assert isinstance(found, ReaderProcess)
    return found


def target() -> str:
    """The request target as the client sent it.

    WSGI's own PATH_INFO is decoded, and so cannot tell `%2F` from `/`; RAW_URI, which gunicorn
    and Werkzeug set, is not, nor is an ASGI server's `raw_path`. A server without either gets the
    decoded path, encoded again.
    """
    environ = request.environ
    query = environ.get("QUERY_STRING", "")
    raw_path = environ.get("asgi.scope", {}).get("raw_path")
    raw = _joined(raw_path.decode("latin-1"), query) if raw_path else environ.get("RAW_URI", "")
    return raw if raw.startswith("/") else _joined(quote(request.path), query)


def origin() -> str:
    """Scheme and authority that the client used."""
    trusts = is_trusted(client(), process().settings.trusted_networks)
    return Address(
        scheme=request.environ["wsgi.url_scheme"],
        host=header("Host"),
        forwarded_host=header("X-Forwarded-Host") if trusts else None,
        forwarded_proto=header("X-Forwarded-Proto") if trusts else None,
    ).origin


def client() -> str:
    """IP address of the peer."""
    return str(request.environ.get("REMOTE_ADDR", ""))


def header(name: str) -> str | None:
    """The value of a header field; None where it is absent."""
    return request.headers.get(name)


def response(ready: HttpResponse) -> Response:
    """What Flask sends of an answer: exactly that."""
    sent = _Exact(ready.body, status=ready.status)
    # Flask's own Content-Type and Content-Length give way to the answer's.
    sent.headers.clear()
    sent.headers.extend(ready.headers)
    sent.automatically_set_content_length = False
    return sent


class _Exact(Response):
    """Sent as it stands, which is as the front sends it; Werkzeug takes fields from a 304."""

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:  # noqa: ARG002
        """The fields as they are."""
        return self.headers


def _joined(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path
