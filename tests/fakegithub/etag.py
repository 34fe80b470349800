"""GitHub's weak ETags, and whether an `If-None-Match` names one (RFC 9110 §8.8, §13.1.2)."""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

# Observed at api.github.com, not documented: these request headers, in this order.
HASHED_HEADERS: Final = ("accept", "authorization", "cookie")
ENTITY_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')


def weak_etag(headers: Mapping[str, str], compact_body: bytes) -> str:
    """The ETag of a body for a request with these headers (names in lower case).

    `compact_body` is the JSON before any compression or pretty-printing: one representation in
    several encodings keeps one weak ETag.
    """
    digest = hashlib.sha256()
    for name in HASHED_HEADERS:
        if name in headers:
            digest.update(headers[name].encode("latin-1") + b":")
    digest.update(compact_body)
    return f'W/"{digest.hexdigest()}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """True when the header's list has the ETag by weak comparison, or is `*`."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    opaque = etag.removeprefix("W/").strip('"')
    return opaque in ENTITY_TAG.findall(if_none_match)
