"""Bytes for requests: rendered at most once a second, found again by the request's own bytes.

Three steps, each remembered: the same bytes get the same answer while the second and what is held
are the same; so do requests that differ in nothing that matters; and what lines ask for is a pure
function of them. What is remembered is bounded in number and in bytes.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from werkzeug.http import http_date

from reader.cache.local_cache import LocalCache
from reader.cache.synchronizer import Synchronizer
from reader.errors import ApiError
from reader.front.request_head import ParsedRequest, normalize, parse
from reader.response.client_url import Address, path_of
from reader.response.response import Conditions, HttpResponse, to_response
from reader.response.target import Target, parse_target
from reader.telemetry.counters import Counter, LocalCounters
from reader.telemetry.request_ids import HEADER
from shared.entry import Entry
from shared.outcomes import Served
from shared.resources.catalogue import Catalogue

Key = TypeVar("Key")
Value = TypeVar("Value")

SERVER = "api-read-cache"
_MAX_REQUESTS = 2048  # remembered, of at most this many bytes each:
_MAX_REMEMBERED = 2048
_MAX_RESPONSES = 2048
_MAX_CUT_BYTES = 32 * 1024 * 1024  # of pages and views, which are copies, unlike whole bodies
# Below this one write of head and body is cheaper than two.
_JOINED = 8 * 1024  # bytes


class SerializedResponse(NamedTuple):
    """An answer as it goes out: `start`, the request's id, `head`, `body`.

    Args:
        start: the status line, and the name of the field that has the id.
        head: the end of that field, all others, and a small body.
        body: a large body; empty for none.
        closes: whether it announces the end of the connection.
        tally: counts it.
    """

    start: bytes
    head: bytes
    body: bytes
    closes: bool
    counter: Counter


# An answer, and the id that the client gave its request; None where it is to be given one.
Found = tuple[SerializedResponse, bytes | None]


class _Rendered(NamedTuple):
    entry: Entry
    serialized: SerializedResponse


class RenderedResponses:
    """The answers of one process to those who reach it in one way.

    Args:
        catalogue: what a target can name.
        local: what is held.
        caretaker: told what is due for a look at Redis.
        clock: gives Unix time in seconds.
        tallies: of the thread that sends the answers.
        new_id: gives an id for a request that came without one.
        scheme: of the connections.
        trusted: whether they come from a trusted proxy.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        local: LocalCache,
        synchronizer: Synchronizer,
        *,
        clock: Callable[[], float],
        local_counters: LocalCounters,
        new_id: Callable[[], bytes],
        scheme: str = "http",
        trusted: bool = False,
    ) -> None:
        self._catalogue = catalogue
        self._local = local
        self._synchronizer = synchronizer
        self._clock = clock
        self._tallies = local_counters
        self._new_id = new_id
        self._scheme = scheme
        self._trusted = trusted
        self._generation = local.generation
        self._parsed_requests: dict[tuple[bytes, ...], ParsedRequest | None] = {}
        self._selections: dict[str, Target | None] = {}
        self._hot: dict[bytes, Found] = {}
        self._recent: dict[tuple[bytes, ...], SerializedResponse] = {}
        self._rendered: dict[ParsedRequest, _Rendered] = {}
        self._cut_bytes = 0

    def find_again(self, request: bytes) -> Found | None:
        """The answer to a request that was answered within this second; None for any other.

        Args:
            request: any bytes.
        """
        return self._hot.get(request) if self._generation == self._local.generation else None

    def find(self, request: bytes) -> Found | None:
        """The answer to a request; None where it is not plain, or what it wants is not held.

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
            # Given now, since a refresh may be asked for in its name.
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
        serialized = None if parsed is None else self.to_response(parsed, request_id)
        if serialized is not None and is_short:
            _make_room(self._recent, _MAX_REQUESTS)
            self._recent[lines] = serialized
        return serialized

    def tick(self) -> None:
        """A second has passed: ages and dates are others, and no answer's tally is counted with."""
        self._hot.clear()
        self._recent.clear()
        self._rendered.clear()
        self._cut_bytes = 0

    def to_response(self, parsed: ParsedRequest, request_id: bytes) -> SerializedResponse | None:
        """The answer to what was asked for; None where it is not held.

        Args:
            ask: what was asked for.
            request_id: of the request; a refresh that it causes is known by it.
        """
        selection = self._selection(parsed.target)
        if selection is None:
            return None
        now = self._clock()
        held = self._local.get(selection.resource, now)
        if held is None:
            return None
        if held.check_at <= now:
            self._synchronizer.schedule_check(selection.resource, request_id.decode())
        rendered = self._rendered.get(parsed)
        if rendered is not None and rendered.entry is held.entry:
            return rendered.serialized
        try:
            serialized = self._render(parsed, selection, held.entry, now)
        except Exception:  # expected or not: Flask says what is wrong, and logs it
            return None
        if len(self._rendered) >= _MAX_RESPONSES or self._cut_bytes > _MAX_CUT_BYTES:
            self.tick()
        self._rendered[parsed] = _Rendered(held.entry, serialized)
        stored = (held.entry.body, *held.entry.encoded.values())
        if not any(serialized.body is body for body in stored):
            self._cut_bytes += len(serialized.body)
        return serialized

    def _parsed(self, lines: tuple[bytes, ...]) -> ParsedRequest | None:
        if lines in self._parsed_requests:
            return self._parsed_requests[lines]
        _make_room(self._parsed_requests, _MAX_REQUESTS)
        parsed = self._parsed_requests[lines] = parse(lines)
        return parsed

    def _selection(self, target: str) -> Target | None:
        if target in self._selections:
            return self._selections[target]
        try:
            selection = parse_target(self._catalogue, target)
        except ApiError:
            selection = None
        if len(target) <= _MAX_REMEMBERED:
            _make_room(self._selections, _MAX_REQUESTS)
            self._selections[target] = selection
        return selection

    def _render(
        self, parsed: ParsedRequest, selection: Target, entry: Entry, now: float
    ) -> SerializedResponse:
        address = Address(
            self._scheme,
            parsed.host,
            parsed.forwarded_host if self._trusted else None,
            parsed.forwarded_proto if self._trusted else None,
        )
        conditions = Conditions(
            url=address.origin + path_of(parsed.target),
            accept_encoding=parsed.accept_encoding,
            if_none_match=parsed.if_none_match,
            if_modified_since=parsed.if_modified_since,
        )
        sent = to_response(selection.represent(entry), conditions, served=Served.LOCAL, now=now)
        is_stale = not entry.metadata.is_fresh(now)
        counter = self._tallies.of(selection.labels(Served.LOCAL, sent.status, is_stale=is_stale))
        return render(sent, counter, now=now, is_head=parsed.is_head, closes=parsed.closes)


def render(
    sent: HttpResponse, counter: Counter, *, now: float, is_head: bool, closes: bool
) -> SerializedResponse:
    """An answer as it goes out on an HTTP/1.1 connection (RFC 9112).

    Args:
        sent: what to send.
        tally: counts it.
        now: Unix time in seconds.
        is_head: without its body.
        closes: announce the end of the connection.
    """
    start = f"HTTP/1.1 {sent.status} {HTTPStatus(sent.status).phrase}\r\n{HEADER}: ".encode()
    fields = [
        "",
        *(f"{name}: {value}" for name, value in sent.headers.items()),
        f"Server: {SERVER}",
        f"Date: {http_date(now)}",
    ]
    if closes:
        fields.append("Connection: close")
    head = "\r\n".join([*fields, "", ""]).encode("latin-1")
    body = b"" if is_head else sent.body
    if len(body) <= _JOINED:
        return SerializedResponse(start, head + body, b"", closes, counter)
    return SerializedResponse(start, head, body, closes, counter)


def _make_room(remembered: dict[Key, Value], limit: int) -> None:
    """Forget all where there are too many: finding the oldest of a dict takes ever longer."""
    if len(remembered) >= limit:
        remembered.clear()
