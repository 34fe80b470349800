"""What is asked of every server alike, and whether it answers right."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.errors import BenchError
from tests.http_client import Connection, MalformedResponse

ORG = "Netflix"
SMALL = f"/orgs/{ORG}"
VIEW = "/view/top/10/stars"
LIST = f"/orgs/{ORG}/repos"
# What every client sends; wrk alone would send less than any.
ALWAYS = {"User-Agent": "api-read-cache-bench", "Accept": "*/*"}


@dataclass(frozen=True)
class Workload:
    """One request, asked for again and again.

    Args:
        name: in tables.
        path: with its query, if any.
        meaning: for people who read the tables.
        extra: header fields beside those that every client sends.
        varied: no two requests have the same bytes: each has a header field of its own.
        status: the answer's.
    """

    name: str
    path: str
    meaning: str
    extra: Mapping[str, str] = field(default_factory=dict)
    varied: bool = False
    status: int = 200

    @property
    def headers(self) -> dict[str, str]:
        """The request's header fields, but for what differs from one to the next."""
        return {**ALWAYS, **self.extra}


def workloads(etag: str) -> tuple[Workload, ...]:
    """All of them; `etag` is the present one of `SMALL`, with its quotation marks."""
    return (
        Workload("small", SMALL, "an organisation"),
        Workload("304", SMALL, "the same, not modified", {"If-None-Match": etag}, status=304),
        Workload("view", VIEW, "the ten most starred repositories"),
        Workload("list-gzip", LIST, "250 repositories, gzip", {"Accept-Encoding": "gzip"}),
        Workload("list", LIST, "250 repositories, identity"),
        Workload("varied", SMALL, "small, every request's bytes different", varied=True),
    )


@dataclass(frozen=True)
class Seen:
    """An answer; but for its size on the wire it must be the same, whoever gives it.

    Args:
        status: HTTP status.
        etag: header field, as are the next two; None where it is absent.
        encoding: `Content-Encoding`.
        content_type: `Content-Type`; None for a 304, in which not every server repeats it.
        body: as it came.
        transferred: bytes of head and body.
    """

    status: int
    etag: str | None
    encoding: str | None
    content_type: str | None
    body: bytes
    transferred: int = field(compare=False)


def ask(port: int, path: str, headers: Mapping[str, str]) -> Seen:
    """Send one request on a new connection."""
    host = f"127.0.0.1:{port}"
    with Connection(f"http://{host}", timeout=30) as connection:
        response = connection.ask(path, **{"Host": host, **headers})
    get = response.headers.get
    content_type = get("content-type") if response.status == 200 else None
    seen = (response.status, get("etag"), get("content-encoding"), content_type)
    return Seen(*seen, response.body, response.transferred)


def answer_to(workload: Workload, port: int) -> Seen:
    """What a server answers to a workload's request.

    Raises:
        BenchError: it is not the status that it should be, or none came.
    """
    try:
        seen = ask(port, workload.path, workload.headers)
    except (OSError, MalformedResponse) as error:
        raise BenchError(f"{workload.name}: no answer ({type(error).__name__})") from error
    if seen.status != workload.status:
        raise BenchError(f"{workload.name}: status {seen.status} instead of {workload.status}")
    return seen
