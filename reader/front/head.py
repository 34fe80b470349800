"""Which requests the front understands: plain ones, read strictly. A pure function of their bytes.

Whatever is malformed or unusual is none, and left to gunicorn's parser to refuse or to serve: the
front must never read a request otherwise than what stands behind it would.
"""

import re
from typing import NamedTuple

# The longest head that is read here; gunicorn's own limits for a line and a field are beyond it or
# the same, so what it would refuse is not answered.
MAX_HEAD = 8000  # bytes
_MAX_LINE = 4000  # bytes; gunicorn refuses from 4094
_MAX_FIELDS = 90  # gunicorn refuses from 100

# RFC 9112 sections 3 and 5: one space between the parts of the first line, CRLF at the end of each,
# no white space before a colon, no folded lines, no control characters.
_HEAD = re.compile(
    rb"(GET|HEAD) (/[!-~]*) HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t -~\x80-\xff]*+\r\n)*+)\r\n"
)

# Fields that make a request another one, or concern the connection in a way of their own.
_UNUSUAL = frozenset(
    {
        b"content-length",
        b"expect",
        b"http2-settings",
        b"if-match",
        b"if-range",
        b"if-unmodified-since",
        b"range",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_CONNECTION = {b"keep-alive": False, b"close": True}


class Ask(NamedTuple):
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


_ASKED = {
    name: index
    for index, name in enumerate(
        (
            b"host",
            b"accept-encoding",
            b"if-none-match",
            b"if-modified-since",
            b"x-forwarded-host",
            b"x-forwarded-proto",
        )
    )
}


def read_head(head: bytes) -> Ask | None:
    """What a request asks for; None where it is not a plain one.

    Args:
        head: from the first byte to the empty line, both included, and nothing behind it.
    """
    match = _HEAD.fullmatch(head) if len(head) <= MAX_HEAD else None
    if match is None:
        return None
    method, target, block = match.groups()
    lines = block.split(b"\r\n")
    if len(target) > _MAX_LINE or len(lines) > _MAX_FIELDS:
        return None
    values: list[str | None] = [None] * len(_ASKED)
    closes = False
    for line in lines[:-1]:
        name, _, value = line.partition(b":")
        name = name.lower()
        index = _ASKED.get(name)
        if index is not None:
            if values[index] is not None:  # said twice
                return None
            values[index] = value.strip(b" \t").decode("latin-1")
        elif name in _UNUSUAL:
            return None
        elif name == b"connection":
            wish = _CONNECTION.get(value.strip(b" \t").lower())
            if wish is None:
                return None
            closes = closes or wish
    return Ask(target.decode("ascii"), method == b"HEAD", closes, *values)
