"""Parses the heads of plain requests, strictly: a pure function of their bytes.

A malformed or unusual request is not plain. gunicorn's parser refuses or serves it: the front must
never read a request in another way than gunicorn does.
"""

from typing import NamedTuple

from reader.telemetry.request_ids import taken

# The longest head that is parsed here. gunicorn's own limits for a line and a field are not below
# ours, so the front never serves a request that gunicorn would refuse.
MAX_HEAD = 8000  # bytes
_MAX_LINE = 4000  # bytes; gunicorn refuses from 4094
_MAX_FIELDS = 90  # gunicorn refuses from 100

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_METHODS = {"GET": False, "HEAD": True}


class ParsedRequest(NamedTuple):
    """The parts of a plain request that a response can depend on.

    `Authorization` is not among them: no response depends on it.

    Args:
        target: path and query.
        is_head: HEAD, else GET.
        closes: the client wants the connection closed after the response.
        host: value of the field.
        accept_encoding: value of the field; None if absent, as for the other fields.
    """

    target: str
    is_head: bool
    closes: bool
    host: str
    accept_encoding: str | None
    if_none_match: str | None
    if_modified_since: str | None
    accept: str | None
    api_version: str | None
    forwarded_host: str | None
    forwarded_proto: str | None
    cache_control: str | None
    pragma: str | None


# The meaning of a line: the index of its value in the parsed request, or one of these.
_USUAL, _KEEPS, _CLOSES, _UNUSUAL, _CONNECTION = -1, -2, -3, -4, -5
_MEANINGS = {
    "host": 0,
    "accept-encoding": 1,
    "if-none-match": 2,
    "if-modified-since": 3,
    "accept": 4,
    "x-github-api-version": 5,
    "x-forwarded-host": 6,
    "x-forwarded-proto": 7,
    "cache-control": 8,
    "pragma": 9,
    "content-type": 10,  # ignored; gunicorn refuses two of them
    "connection": _CONNECTION,
    # These change what a request means.
    "content-length": _UNUSUAL,
    "expect": _UNUSUAL,
    "http2-settings": _UNUSUAL,
    "if-match": _UNUSUAL,
    "if-range": _UNUSUAL,
    "if-unmodified-since": _UNUSUAL,
    "range": _UNUSUAL,
    "trailer": _UNUSUAL,
    "transfer-encoding": _UNUSUAL,
    "upgrade": _UNUSUAL,
}
_CONNECTIONS = {"keep-alive": _KEEPS, "close": _CLOSES}
# Clients send the same lines again and again: each is parsed once.
_MAX_LINES = 1024
_MAX_REMEMBERED = 256  # bytes of a line
_lines: dict[bytes, int] = {}


def read_head(head: bytes) -> ParsedRequest | None:
    """Parse a head; None if the request is not plain.

    Stricter than RFC 9112 sections 3 and 5: one space between the parts of the first line, CRLF at
    the end of each line and no CR or LF elsewhere, no control character, no tab, no white space
    before a colon, no folded lines.

    Args:
        head: from the first byte to the empty line, both included, and nothing behind it.
    """
    normalized = normalize(head)
    return None if normalized is None else parse(normalized[0])


# The first line of a request with the lines that a response can depend on, and the value of
# `X-Request-Id`, None if it cannot be used. A tuple, not a class: one is made for each request.
NormalizedHead = tuple[tuple[bytes, ...], bytes | None]


def normalize(head: bytes) -> NormalizedHead | None:
    """The lines of a request that matter; None if it is not plain.

    Requests that differ only in client and credentials are the same when normalized.

    Args:
        head: as for `read_head`.
    """
    if len(head) > MAX_HEAD:
        return None
    lines = head.split(b"\r\n")
    if not 3 <= len(lines) <= _MAX_FIELDS or lines.pop() or lines.pop():
        return None
    kept = [lines[0]]
    request_id = None
    for line in lines[1:]:
        meaning = _lines.get(line)
        if meaning is None:
            if line[:13].lower() == b"x-request-id:":  # which differs each time
                if request_id is not None:
                    return None
                request_id = taken(line[13:].strip(b" "))
                if request_id is not None:
                    continue
            meaning = _meaning(line)
        if meaning != _USUAL:
            if meaning == _UNUSUAL:
                return None
            kept.append(line)
    return tuple(kept), request_id


def parse(lines: tuple[bytes, ...]) -> ParsedRequest | None:
    """Parse the lines that `normalize` returned.

    None if the first line is not plain, there is no `Host`, or a field that may occur once occurs
    twice.
    """
    method, _, rest = lines[0].decode("latin-1").partition(" ")
    target, _, version = rest.partition(" ")
    is_plain = target[:1] == "/" and target.isascii() and target.isprintable() and "#" not in target
    if method not in _METHODS or version != "HTTP/1.1" or not is_plain or len(target) > _MAX_LINE:
        return None
    values: list[str | None] = [None] * 11
    closes = False
    for line in lines[1:]:
        meaning = _meaning(line)
        if meaning >= 0:
            if values[meaning] is not None:
                return None
            values[meaning] = line.partition(b":")[2].strip(b" ").decode("latin-1")
        elif meaning == _CLOSES:
            closes = True
    host, *others = values[:10]
    return None if host is None else ParsedRequest(target, _METHODS[method], closes, host, *others)


def _meaning(line: bytes) -> int:
    """The meaning of a line."""
    name, colon, value = line.decode("latin-1").partition(":")
    if not colon or not name or not _TOKEN.issuperset(name) or not value.isprintable():
        return _UNUSUAL
    meaning = _MEANINGS.get(name.lower(), _USUAL)
    if meaning == _CONNECTION:
        meaning = _CONNECTIONS.get(value.strip(" ").lower(), _UNUSUAL)
    if len(line) <= _MAX_REMEMBERED:
        if len(_lines) >= _MAX_LINES:
            _lines.clear()
        _lines[line] = meaning
    return meaning
