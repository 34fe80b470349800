"""Every entity tag of ours: of an entry, of a part of it, and of its encodings. Pure.

A tag is strong (RFC 9110 section 8.8.3): it changes whenever a byte of what is sent may change.
What is sent beside the body, such as `Link`, is part of the digest: a 304 never hides a change.

The functions return the opaque part, without quotes. It is a digest of what clients see: it does
not depend on times, on GitHub's own ETags, or on derived data (`shared.stored_form`).
"""

import hashlib
import json
from collections.abc import Iterable, Sequence


def of_content(
    body: bytes,
    *,
    status: int,
    content_type: str,
    links: Sequence[tuple[str, str]],
    location: str | None = None,
) -> str:
    """The tag of an entry that is no expanded list: a digest of everything that a client can see.

    Args:
        body: uncompressed.
        status: HTTP status.
        content_type: media type of the body.
        links: `Link` as (relation, query) pairs.
        location: of a redirect, its target; None for anything else.
    """
    redirect = [] if location is None else [location]
    seen = json.dumps(["whole", status, content_type, list(links), *redirect]).encode()
    digest = hashlib.sha256(seen + b"\n")
    digest.update(body)  # without a copy of what may be 20 MB
    return digest.hexdigest()[:32]


def of_list(digests: bytes) -> str:
    """The tag of an expanded list, wherever its segments end.

    Args:
        digests: of its items.
    """
    return hashlib.sha256(f"list\n{digests.hex()}".encode()).hexdigest()[:32]


def of_page(digests: bytes, *, links: Sequence[tuple[str, str]]) -> str:
    """The tag of a page of a list: it changes only if its items or its `Link` change.

    Args:
        digests: of its items.
        links: its `Link` as (relation, query) pairs.
    """
    seen = json.dumps(["page", *links]).encode()
    return hashlib.sha256(seen + b"\n" + digests).hexdigest()[:32]


def of_view(body: Iterable[bytes | memoryview]) -> str:
    """The tag of a ranked view: it changes only if its rows change.

    Args:
        body: the view, in parts.
    """
    digest = hashlib.sha256(b"view\n")
    for part in body:
        digest.update(part)
    return digest.hexdigest()[:32]


def of_mounted(etag: str, *, address: str, rule: int) -> str:
    """The tag of an entry with this tag where clients use it under another address.

    Args:
        etag: of the entry.
        address: that replaces the origin's in its body.
        rule: number of the rule by which that is done.
    """
    return hashlib.sha256(f"{rule}\n{etag}\n{address}".encode()).hexdigest()[:32]


def of_encoding(etag: str, encoding: str | None) -> str:
    """The tag of a representation in a content coding; None for the plain one."""
    return etag if encoding is None else f"{etag}-{encoding}"
