"""Which requests the front understands: plain ones, read strictly. A pure function of their bytes.

Whatever is malformed or unusual is none, and left to gunicorn's parser to refuse or to serve: the
front must never read a request otherwise than what stands behind it would.
"""

from typing import NamedTuple

from reader.telemetry.request_ids import taken

# The longest head that is read here; gunicorn's own limits for a line and a field are beyond it or
# the same, so what it would refuse is not answered.
MAX_HEAD = 8000  # bytes
_MAX_LINE = 4000  # bytes; gunicorn refuses from 4094
_MAX_FIELDS = 90  # gunicorn refuses from 100

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_METHODS = {"GET": False, "HEAD": True}


class ParsedRequest(NamedTuple):
    """What a plain request asks for: all of it that an answer can depend on.

    Not who asks: `Authorization` and `Cache-Control` are read by nobody.

    Args:
        target: path and query.
        is_head: HEAD, else GET.
        closes: the client wants the connection closed after the answer.
        host: and the other fields' values; None where they are absent.
    """

    target: str
    is_head: bool
    closes: bool
    host: str | None
    accept_encoding: str | None
    if_none_match: str | None
    if_modified_since: str | None
    forwarded_host: str | None
    forwarded_proto: str | None


# What a line means: where a field's value stands in what is asked, or one of these.
_USUAL, _KEEPS, _CLOSES, _UNUSUAL, _CONNECTION = -1, -2, -3, -4, -5
_MEANINGS = {
    "host": 0,
    "accept-encoding": 1,
    "if-none-match": 2,
    "if-modified-since": 3,
    "x-forwarded-host": 4,
    "x-forwarded-proto": 5,
    "content-type": 6,  # read by nobody; gunicorn refuses two of them
    "connection": _CONNECTION,
    # These make a request another one.
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
# Clients send the same lines again and again: each is taken apart once.
_MAX_LINES = 1024
_MAX_REMEMBERED = 256  # bytes of a line
_lines: dict[bytes, int] = {}


def read_head(head: bytes) -> ParsedRequest | None:
    """What a request asks for; None where it is not a plain one.

    Stricter than RFC 9112 sections 3 and 5: one space between the parts of the first line, CRLF at
    the end of each line and no CR or LF elsewhere, no control character, no tab, no white space
    before a colon, no folded lines.

    Args:
        head: from the first byte to the empty line, both included, and nothing behind it.
    """
    normalized = normalize(head)
    return None if normalized is None else parse(normalized[0])


# What is left of a request: the first line and those that an answer can depend on, and the value
# of `X-Request-Id`, None where it has none that can be taken. A plain pair: it is made for each.
NormalizedHead = tuple[tuple[bytes, ...], bytes | None]


def normalize(head: bytes) -> NormalizedHead | None:
    """What of a request matters; None if it is not plain.

    Requests that differ in nothing but who asks, and by what, are the same when sifted.

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
            if line[:13].lower() == b"x-request-id:":  # which is another one each time
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
    """What the lines that `sift` left ask for; None where the first one is not plain.

    The same where a field is said twice that may be said once.
    """
    method, _, rest = lines[0].decode("latin-1").partition(" ")
    target, _, version = rest.partition(" ")
    is_plain = target[:1] == "/" and target.isascii() and target.isprintable()
    if method not in _METHODS or version != "HTTP/1.1" or not is_plain or len(target) > _MAX_LINE:
        return None
    values: list[str | None] = [None] * 7
    closes = False
    for line in lines[1:]:
        meaning = _meaning(line)
        if meaning >= 0:
            if values[meaning] is not None:
                return None
            values[meaning] = line.partition(b":")[2].strip(b" ").decode("latin-1")
        elif meaning == _CLOSES:
            closes = True
    return ParsedRequest(target, _METHODS[method], closes, *values[:6])


def _meaning(line: bytes) -> int:
    """What a field means."""
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
