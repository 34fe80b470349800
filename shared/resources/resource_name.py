"""How a path and a query are written: in one canonical way for each resource.

Two requests that GitHub would treat in the same way have the same name.
"""

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, unquote, urlencode

# Longer paths are not honest requests, and each of them would be a key in Redis.
MAX_NAME_BYTES = 1024
# Each segment takes two bytes at least; the time to match more of them grows with their square.
_MAX_SEGMENTS = MAX_NAME_BYTES // 2

_SEGMENT = re.compile(r"[^\x00-\x1f\x7f\\]+")
_NO_NAMES = frozenset({"", ".", ".."})
# The number of segments up to the last name of an owner or a repository, by the first one.
_UP_TO_NAMES = {"repos": 3, "networks": 3, "orgs": 2, "users": 2}


def segments_of(path: str) -> list[str] | None:
    """The decoded segments of a path, owners and repositories in lower case; None if invalid.

    GitHub ignores the case of logins and repository names, and of nothing else. A slash that was
    sent as `%2F` is data of its segment: branches, refs and paths of files have slashes.

    Args:
        path: as sent, percent-encoded or not.
    """
    if path == "/":
        return []
    try:
        segments = [unquote(part, errors="strict") for part in path.split("/")]
    except UnicodeDecodeError:
        return None
    if len(segments) < 2 or segments.pop(0) or not all(_SEGMENT.fullmatch(s) for s in segments):
        return None
    # An empty or dot segment would name one thing here and another at GitHub, however its slashes
    # are sent.
    if len(segments) > _MAX_SEGMENTS or not _NO_NAMES.isdisjoint(split_at_slashes(segments)):
        return None
    folded = _UP_TO_NAMES.get(segments[0].lower(), 1)
    return [part.lower() for part in segments[:folded]] + segments[folded:]


def split_at_slashes(segments: Sequence[str]) -> list[str]:
    """The segments that a server would see that decodes `%2F` before it splits the path."""
    return "/".join(segments).split("/")


def path_from(segments: Sequence[str]) -> str:
    """The canonical path of decoded segments."""
    return "/" + "/".join(quote(part, safe="!$&'()*+,;=:@~-._") for part in segments)


def target_of(path: str, query: str) -> str:
    """Path and query as one text."""
    return f"{path}?{query}" if query else path


def canonical_query(query: str) -> str:
    """A query sorted by name (repeated names stay in order), encoded in one way.

    Empty values are kept.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode(sorted(pairs, key=lambda pair: pair[0]), quote_via=quote)


def is_text(text: str) -> bool:
    """Whether a string can be encoded: JSON can bring half of a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
