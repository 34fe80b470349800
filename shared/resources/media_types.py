"""The media types that GitHub documents besides plain JSON, and the operations that have them.

Each is a representation of its own: part of a resource's name, requested and stored by itself. For
comments and the like, `raw` is what GitHub sends anyway, so it is no row for them.
https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api#media-types
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.resources.operations import Operation

JSON = ""  # the name of GitHub's usual representation


@dataclass(frozen=True)
class MediaType:
    """A media type of GitHub's.

    Args:
        name: as clients write it, after `application/vnd.github.`.
        accept: value of `Accept` that requests it.
        is_json: whether a body is JSON, perhaps with further members; any other is sent unread.
        is_rendered: GitHub renders Markdown for whoever asks, which may name what only they see.
        sent_as: the type in `Content-Type`, if it is not one of GitHub's own.
    """

    name: str
    accept: str
    is_json: bool
    is_rendered: bool = False
    sent_as: str = ""


_FILES = frozenset(
    {
        "repos/get-content",
        "repos/get-readme",
        "repos/get-readme-in-directory",
        "licenses/get-for-repo",
    }
)
_BODIES = frozenset(
    {
        *("issues/list-for-repo", "issues/get", "issues/list-comments", "issues/get-comment"),
        *("issues/list-comments-for-repo", "issues/get-parent", "issues/list-sub-issues"),
        *("issues/list-dependencies-blocked-by", "issues/list-dependencies-blocking"),
        *("pulls/list", "pulls/get", "pulls/list-review-comments", "pulls/get-review-comment"),
        *("pulls/list-review-comments-for-repo", "pulls/list-reviews", "pulls/get-review"),
        "pulls/list-comments-for-review",
        *("repos/list-commit-comments-for-repo", "repos/get-commit-comment"),
        "repos/list-comments-for-commit",
        *("repos/list-releases", "repos/get-release", "repos/get-latest-release"),
        "repos/get-release-by-tag",
        "search/issues-and-pull-requests",
    }
)
_CHANGES = frozenset({"repos/get-commit", "repos/compare-commits", "pulls/get"})
_CHANGES |= {"repos/compare-commits-with-basehead"}
_STARRED = frozenset({"activity/list-repos-starred-by-user"})
_SEARCHES = frozenset(
    {
        *("search/commits", "search/issues-and-pull-requests", "search/labels", "search/repos"),
        *("search/topics", "search/users"),
    }
)
_RAW = _FILES | {"git/get-blob", "gitignore/get-template"}
# `raw` and `html` without `+json`: GitHub repeats it in `Content-Type`, and some clients parse each
# body whose type contains "json" (Octokit.rb).
_ROWS = (
    (MediaType("raw", "application/vnd.github.raw", is_json=False), _RAW),
    (
        MediaType("html", "application/vnd.github.html", is_json=False, is_rendered=True),
        _FILES,
    ),
    (
        MediaType("html", "application/vnd.github.html+json", is_json=True, is_rendered=True),
        _BODIES,
    ),
    (
        MediaType("text", "application/vnd.github.text+json", is_json=True, is_rendered=True),
        _BODIES,
    ),
    (
        MediaType("full", "application/vnd.github.full+json", is_json=True, is_rendered=True),
        _BODIES,
    ),
    (MediaType("object", "application/vnd.github.object", is_json=True), {"repos/get-content"}),
    (MediaType("diff", "application/vnd.github.diff", is_json=False), _CHANGES),
    (MediaType("patch", "application/vnd.github.patch", is_json=False), _CHANGES),
    (MediaType("sha", "application/vnd.github.sha", is_json=False), {"repos/get-commit"}),
    (MediaType("star", "application/vnd.github.star+json", is_json=True), _STARRED),
    (MediaType("text-match", "application/vnd.github.text-match+json", is_json=True), _SEARCHES),
)
PLAIN = MediaType(JSON, "application/vnd.github+json", is_json=True)
# Operations whose usual representation is text, whatever a client accepts.
_TEXTS = {
    "meta/get-zen": MediaType(JSON, "*/*", is_json=False, sent_as="text/plain"),
    "meta/get-octocat": MediaType(JSON, "*/*", is_json=False, sent_as="application/octocat-stream"),
}
# `application/vnd.github.VERSION.raw+json`, with a version of old, or without; some clients name
# the kind of object after `github`.
_VENDOR = re.compile(
    r"application/vnd\.github(?:-[a-z]+)?(?:\.v3|\.beta|\.version)?(?:\.([a-z0-9.-]+))?(?:\+json)?"
)


def _by_operation(
    rows: Iterable[tuple[MediaType, Iterable[str]]],
) -> Mapping[str, Mapping[str, MediaType]]:
    found: dict[str, dict[str, MediaType]] = {}
    for media, operations in rows:
        for operation in operations:
            found.setdefault(operation, {})[media.name] = media
    return found


_BY_OPERATION = _by_operation(_ROWS)


def media_types_of(operation: Operation | None) -> Mapping[str, MediaType]:
    """The media types of an operation besides plain JSON, by name; none without an operation."""
    return _BY_OPERATION.get(operation.id, {}) if operation else {}


def media_type(operation: Operation | None, name: str) -> MediaType:
    """The media type of that name; the operation's usual one if it has none of that name."""
    usual = _TEXTS.get(operation.id, PLAIN) if operation else PLAIN
    return media_types_of(operation).get(name, usual)


def vendor_name(text: str) -> str | None:
    """The name in a media type of GitHub's; None if it is not GitHub's.

    Args:
        text: a media type without parameters, in lower case.
    """
    match = _VENDOR.fullmatch(text)
    return None if match is None else match[1] or JSON


def is_json(content_type: str) -> bool:
    """Whether a `Content-Type` is that of JSON, and not of a file, a diff or rendered HTML.

    GitHub calls the type of a file `application/vnd.github.raw+json`, though it is not JSON.
    """
    text = content_type.partition(";")[0].strip().lower()
    vendor = vendor_name(text)
    return text == "application/json" or (text.endswith("+json") and not vendor)


def is_sent_as(content_type: str, media: MediaType) -> bool:
    """Whether a response's `Content-Type` says that its body has a media type that is not JSON.

    Only the media type's own count: a page of HTML, as an intermediary sends it, is no such body.
    """
    text = content_type.partition(";")[0].strip().lower()
    if media.sent_as:
        return text == media.sent_as
    return not media.is_json and vendor_name(text) == media.name
