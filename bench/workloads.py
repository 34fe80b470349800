"""The requests that every server gets, and the check of the responses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.errors import BenchError
from tests.http_client import Connection, MalformedResponse
from tests.waiting import eventually

ORG = "Netflix"
SMALL = f"/orgs/{ORG}"
VIEW = "/view/top/10/stars"
LIST = f"/orgs/{ORG}/repos"
MOUNT = "/api/v3"
# Header fields that every client sends; wrk by itself sends fewer.
ALWAYS = {"User-Agent": "api-read-cache-bench", "Accept": "*/*"}


@dataclass(frozen=True)
class Workload:
    """One request, sent repeatedly.

    Args:
        name: in tables.
        path: with its query, if any.
        meaning: explanation for readers of the tables.
        extra: header fields in addition to `ALWAYS`.
        varied: whether each request has a header field of its own, so that no two are the same.
        status: of the response.
    """

    name: str
    path: str
    meaning: str
    extra: Mapping[str, str] = field(default_factory=dict)
    varied: bool = False
    status: int = 200

    @property
    def headers(self) -> dict[str, str]:
        """The request's header fields, without the one that varies."""
        return {**ALWAYS, **self.extra}


def workloads(etag: str) -> tuple[Workload, ...]:
    """All workloads; `etag` is the current one of `SMALL`, with its quotation marks."""
    return (
        Workload("small", SMALL, "an organisation"),
        Workload("304", SMALL, "the same, not modified", {"If-None-Match": etag}, status=304),
        Workload("view", VIEW, "the ten most starred repositories"),
        Workload("list-gzip", LIST, "250 repositories, gzip", {"Accept-Encoding": "gzip"}),
        Workload("list", LIST, "250 repositories, identity"),
        Workload("varied", SMALL, "small, every request's bytes different", varied=True),
    )


def mounted(measured: Sequence[Workload], port: int) -> list[Workload]:
    """The same workloads under `/api/v3`, once a reader holds what they ask for.

    Args:
        measured: under `/`.
        port: of the reader.
    """
    packed = {"Accept-Encoding": "gzip"}
    eventually(lambda: ask(port, MOUNT + LIST, packed).encoding == "gzip", what="the list is held")
    etag = ask(port, MOUNT + SMALL, {}).etag or ""
    return [
        replace(
            one,
            path=MOUNT + one.path,
            extra={**one.extra, **({"If-None-Match": etag} if one.status == 304 else {})},
        )
        for one in measured
    ]


@dataclass(frozen=True)
class ServerResponse:
    """A response, which must be equal for all servers except for its size on the wire.

    Args:
        etag: None if absent, as for the next two.
        encoding: `Content-Encoding`.
        content_type: `Content-Type`; None for a 304, in which not every server repeats it.
        body: with its content coding.
        transferred: bytes of head and body.
    """

    status: int
    etag: str | None
    encoding: str | None
    content_type: str | None
    body: bytes
    transferred: int = field(compare=False)


def ask(port: int, path: str, headers: Mapping[str, str]) -> ServerResponse:
    """Send one request on a new connection."""
    host = f"127.0.0.1:{port}"
    with Connection(f"http://{host}", timeout=30) as connection:
        response = connection.ask(path, **{"Host": host, **headers})
    get = response.headers.get
    content_type = get("content-type") if response.status == 200 else None
    found = (response.status, get("etag"), get("content-encoding"), content_type)
    return ServerResponse(*found, response.body, response.transferred)


def response_to(workload: Workload, port: int) -> ServerResponse:
    """A server's response to a workload's request.

    Raises:
        BenchError: the server sends no response, or one with the wrong status.
    """
    try:
        found = ask(port, workload.path, workload.headers)
    except (OSError, MalformedResponse) as error:
        raise BenchError(f"{workload.name}: no response ({type(error).__name__})") from error
    if found.status != workload.status:
        raise BenchError(f"{workload.name}: status {found.status} instead of {workload.status}")
    return found
