"""Responses as bytes: rendered at most once a second, found again by the request's own bytes.

Three steps, each with a memory of its own. The same bytes get the same response within a second, as
long as the local cache is unchanged. So do requests that differ only in lines that do not matter.
And the meaning of lines is a pure function of them. All memories are bounded in number and bytes.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from werkzeug.http import http_date

from reader.cache.age_bound import bound_of
from reader.cache.lookup import Lookup
from reader.cache.mounted_entries import MountedEntries
from reader.errors import ApiError
from reader.front.request_head import ParsedRequest, normalize, parse
from reader.response.client_url import Address, Peer
from reader.response.rate_limits import RateLimits
from reader.response.respond import respond
from reader.response.response import CACHE_NAME, HttpResponse, RequestFields
from reader.response.target import Target, parse_target
from reader.telemetry.counters import Counter, LocalCounters
from reader.telemetry.request_ids import GITHUB_HEADER, HEADER
from shared.buffers import Body
from shared.entry import Entry
from shared.outcomes import Served
from shared.resources.catalogue import Catalogue

Key = TypeVar("Key")
Value = TypeVar("Value")

_MAX_REQUESTS = 2048  # that are remembered, each of at most this many bytes:
_MAX_REMEMBERED = 2048
_MAX_RESPONSES = 2048
# Between the two fields that have the id of the request.
AGAIN = f"\r\n{GITHUB_HEADER}: ".encode()
# Up to this size, one write of head and body is cheaper than two.
_JOINED = 8 * 1024  # bytes


class SerializedResponse(NamedTuple):
    """A response as it is written: `head_with` the request's id, then `body`.

    Args:
        start: the status line, and the name of the field `X-Request-Id`.
        head: the end of `X-GitHub-Request-Id`, all other fields, and a small body.
        body: a large body, which is the entry's own or a part of it; empty if there is none.
        closes: whether it announces the end of the connection.
        counter: counts it.
    """

    start: bytes
    head: bytes
    body: Body
    closes: bool
    counter: Counter

    def head_with(self, request_id: bytes) -> bytes:
        """All in front of a large body."""
        return b"".join((self.start, request_id, AGAIN, request_id, self.head))


# A response, and the id of the request; None if the connection has to make a new one.
Found = tuple[SerializedResponse, bytes | None]


# A target, and the values of `Accept` and `X-GitHub-Api-Version`.
_Asked = tuple[str, str | None, str | None]


class _Rendered(NamedTuple):
    entry: Entry
    serialized: SerializedResponse


class Sources(NamedTuple):
    """What the responses of a process are made of.

    Args:
        catalogue: of the resources that a target can name.
        lookup: finds entries in the local cache, whose changes end the use of rendered responses.
        mounts: the entries as they are served under the mount.
        limits: that responses tell clients of.
    """

    catalogue: Catalogue
    lookup: Lookup
    mounts: MountedEntries
    limits: RateLimits


class RenderedResponses:
    """The responses of one process for connections that reached it in the same way.

    Args:
        sources: what responses are made of.
        clock: returns Unix time in seconds.
        local_counters: of the thread that sends the responses.
        new_id: makes an id for a request that came without one.
        peer: scheme and trust of the connections.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        clock: Callable[[], float],
        local_counters: LocalCounters,
        new_id: Callable[[], bytes],
        peer: Peer,
    ) -> None:
        self._catalogue = sources.catalogue
        self._lookup = sources.lookup
        self._local = sources.lookup.local
        self._mounts = sources.mounts
        self._limits = sources.limits
        self._clock = clock
        self._counters = local_counters
        self._new_id = new_id
        self._peer = peer
        self._generation = self._local.generation
        self._parsed_requests: dict[tuple[bytes, ...], ParsedRequest | None] = {}
        self._targets: dict[_Asked, Target | None] = {}
        self._hot: dict[bytes, Found] = {}
        self._recent: dict[tuple[bytes, ...], SerializedResponse] = {}
        self._rendered: dict[ParsedRequest, _Rendered] = {}

    def find_again(self, request: bytes) -> Found | None:
        """The response to a request whose bytes came before within this second; else None.

        Args:
            request: any bytes.
        """
        return self._hot.get(request) if self._generation == self._local.generation else None

    def find(self, request: bytes) -> Found | None:
        """The response to a request; None if Flask has to make it.

        It does if the request is not plain, if its content is not in memory, or if the client
        bounds the age of content on demand.

        Args:
            request: one whole head, and nothing behind it.
        """
        if self._generation != self._local.generation:
            self._generation = self._local.generation
            self._hot.clear()
            self._recent.clear()
        found = self._hot.get(request)
        if found is not None:
            return found
        normalized = normalize(request)
        if normalized is None:
            return None
        lines, request_id = normalized
        is_short = len(request) <= _MAX_REMEMBERED
        serialized = self._recent.get(lines)
        given = request_id
        if serialized is None:
            # Made now, since a refresh that the request causes carries it.
            given = request_id or self._new_id()
            serialized = self._find_anew(lines, given, is_short=is_short)
            if serialized is None:
                return None
        if request_id is None and is_short:
            _make_room(self._hot, _MAX_REQUESTS)
            self._hot[request] = (serialized, None)
        return serialized, given

    def _find_anew(
        self, lines: tuple[bytes, ...], request_id: bytes, *, is_short: bool
    ) -> SerializedResponse | None:
        parsed = self._parsed(lines) if is_short else parse(lines)
        serialized = None if parsed is None else self._respond(parsed, request_id)
        if serialized is not None and is_short:
            _make_room(self._recent, _MAX_REQUESTS)
            self._recent[lines] = serialized
        return serialized

    def tick(self) -> None:
        """Drop every rendered response: `Age` and `Date` changed, and the counters are taken."""
        self._hot.clear()
        self._recent.clear()
        self._rendered.clear()

    def _respond(self, parsed: ParsedRequest, request_id: bytes) -> SerializedResponse | None:
        """The response to a parsed request; None if its content is not in memory.

        Args:
            parsed: the request.
            request_id: of the request; a refresh that it causes carries it.
        """
        target = self._target((parsed.target, parsed.accept, parsed.api_version))
        if target is None or _has_bound(parsed, target):
            return None
        entry = self._lookup.in_memory(target.resource, request_id=request_id.decode())
        if entry is not None and target.mount:
            entry = self._under_mount(parsed, target, entry)
        if entry is None:
            return None
        resource = target.resource
        # However a client writes what it accepts.
        key = parsed._replace(
            accept=resource.media, api_version=resource.version, cache_control=None, pragma=None
        )
        rendered = self._rendered.get(key)
        if rendered is not None and rendered.entry is entry:
            return rendered.serialized
        try:
            serialized = self._render(parsed, target, entry)
        except Exception:  # an ApiError or a fault: Flask makes the error response, and logs faults
            return None
        if len(self._rendered) >= _MAX_RESPONSES:
            self.tick()
        self._rendered[key] = _Rendered(entry, serialized)
        return serialized

    def _parsed(self, lines: tuple[bytes, ...]) -> ParsedRequest | None:
        if lines in self._parsed_requests:
            return self._parsed_requests[lines]
        _make_room(self._parsed_requests, _MAX_REQUESTS)
        parsed = self._parsed_requests[lines] = parse(lines)
        return parsed

    def _target(self, asked: _Asked) -> Target | None:
        if asked in self._targets:
            return self._targets[asked]
        text, accept, version = asked
        try:
            target = parse_target(self._catalogue, text, accept=accept, version=version)
        except ApiError:
            target = None
        if sum(len(one or "") for one in asked) <= _MAX_REMEMBERED:
            _make_room(self._targets, _MAX_REQUESTS)
            self._targets[asked] = target
        return target

    def _under_mount(self, parsed: ParsedRequest, target: Target, entry: Entry) -> Entry | None:
        """The entry with the addresses that the client used; None if Flask has to make it."""
        try:
            base = self._address(parsed).base
        except ApiError:
            return None
        return self._mounts.held(target.resource, entry, base + target.mount)

    def _address(self, parsed: ParsedRequest) -> Address:
        return self._peer.address(
            parsed.host,
            forwarded_host=parsed.forwarded_host,
            forwarded_proto=parsed.forwarded_proto,
        )

    def _render(self, parsed: ParsedRequest, target: Target, entry: Entry) -> SerializedResponse:
        now = self._clock()
        address = self._address(parsed)
        fields = RequestFields(
            url=address.url_of(parsed.target),
            base=address.base,
            accept_encoding=parsed.accept_encoding,
            if_none_match=parsed.if_none_match,
            if_modified_since=parsed.if_modified_since,
        )
        limits = self._limits.fields(target.resource.path)
        sent, labels = respond(target, entry, fields, served=Served.LOCAL, now=now, limits=limits)
        counter = self._counters.of(labels)
        return render(sent, counter, now=now, is_head=parsed.is_head, closes=parsed.closes)


def _has_bound(parsed: ParsedRequest, target: Target) -> bool:
    """Whether the client bounds the age of content on demand: it may have to wait for it."""
    if parsed.cache_control is None and parsed.pragma is None:
        return False
    return not (target.resource.tracked or bound_of(parsed.cache_control, parsed.pragma).is_any)


def render(
    sent: HttpResponse, counter: Counter, *, now: float, is_head: bool, closes: bool
) -> SerializedResponse:
    """A response as it is written to an HTTP/1.1 connection (RFC 9112).

    Args:
        sent: the response.
        counter: counts it.
        now: Unix time in seconds.
        is_head: omit the body.
        closes: announce the end of the connection.
    """
    start = f"HTTP/1.1 {sent.status} {HTTPStatus(sent.status).phrase}\r\n{HEADER}: ".encode()
    fields = [
        "",
        *(f"{name}: {value}" for name, value in sent.headers.items()),
        f"Server: {CACHE_NAME}",
        f"Date: {http_date(now)}",
    ]
    if closes:
        fields.append("Connection: close")
    head = "\r\n".join([*fields, "", ""]).encode("latin-1")
    body = b"" if is_head else sent.body
    if len(body) <= _JOINED:
        return SerializedResponse(start, head + bytes(body), b"", closes, counter)
    return SerializedResponse(start, head, body, closes, counter)


def _make_room(remembered: dict[Key, Value], limit: int) -> None:
    """Forget all if there are too many: finding the oldest key of a dict takes ever longer."""
    if len(remembered) >= limit:
        remembered.clear()
