"""GitHub's content in the form in which it is stored: expanded, public, ready to be sent."""

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from refresher.content.items import decode, elements
from refresher.content.list_reader import ReadList
from refresher.content.narrowing import Findings, UnfitError, narrowed
from refresher.content.page import Page, Unchanged
from refresher.content.privacy_marks import Mark, mark_of
from refresher.content.ranking import views_of
from refresher.content.segmented_list import Segmentation, SegmentedList, etag_of, segmented
from refresher.errors import OriginError
from refresher.github.question import Question
from refresher.github.response import GitHubResponse
from shared import etag, long_work
from shared.encodings import compressed
from shared.entry import LIST, LIST_SEPARATOR, Entry, Metadata
from shared.github_form import JSON, NOT_FOUND_BODY, github_error
from shared.json_array import JsonArray
from shared.outcomes import FailureKind
from shared.resources.kinds import Kind
from shared.resources.media_types import is_sent_as
from shared.resources.operations.shapes import ERROR, Shape
from shared.resources.resource import Resource
from shared.segments import size_of

# Bytes below which compression saves less than its header fields take.
_WORTH_COMPRESSING = 512
_WHITESPACE = " \t\n\r"  # JSON's own (RFC 8259 section 2)
NOT_FOUND = "Not Found"  # GitHub's words
_ARCHIVE_LIFETIME = 60.0  # seconds; a branch may move
# GitHub's order of relations in `Link`.
_RELATIONS = ("prev", "next", "last", "first")


@dataclass(frozen=True)
class Content:
    """A resource's content, without the times of its entry.

    Args:
        status: HTTP status.
        body: uncompressed.
        content_type: media type of the body.
        ends: of an expanded list, where its items end; None for anything else.
        links: of an on-demand page, `Link` as (relation, query) pairs.
        location: of a redirect, its target; None for anything else.
        longest: seconds for which it is fresh at most; None for the lifetime of the resource.
        views: of a ranked list, by the name of their ranking.
        ids: of an expanded list, the ids of its items in order, private ones included.
        pages: the pages of GitHub that it was made from.
        ends_without_link: the last of them came without `Link`: see `collapse`.
        segmented: a list of several segments; then `body`, `ends` and `views` are empty.
        tag: of a list, its entity tag; empty for anything else.
        shown: of an expanded list, number of its items without the private ones; None for anything
            else.
    """

    status: int
    body: bytes
    content_type: str = JSON
    ends: Sequence[int] | None = None
    links: Sequence[tuple[str, str]] = ()
    location: str | None = None
    longest: float | None = None
    views: Mapping[str, JsonArray] = field(default_factory=dict)
    ids: Sequence[Hashable] = ()
    pages: Sequence[Page] = ()
    ends_without_link: bool = False
    segmented: SegmentedList | None = None
    tag: str = ""
    shown: int | None = None

    @cached_property
    def etag(self) -> str:
        """Opaque part of the strong entity tag."""
        return self.tag or etag.of_content(
            self.body,
            status=self.status,
            content_type=self.content_type,
            links=self.links,
            location=self.location,
        )

    def lifetime(self, usual: float) -> float:
        """Seconds for which it is fresh; `usual` is the lifetime of the resource."""
        return usual if self.longest is None else min(usual, self.longest)

    def entry(
        self,
        resource: Resource,
        *,
        version: int,
        now: float,
        lifetime: float,
        changed_at: float | None = None,
        segmentation: Segmentation | None = None,
        is_first: bool = False,
    ) -> Entry:
        """The entry to store as a new version.

        Args:
            resource: whose content it is.
            version: its number.
            now: Unix time in seconds.
            lifetime: seconds that content of the resource stays fresh.
            changed_at: Unix time in seconds when the content last changed; None for now.
            segmentation: of a list of several segments.
            is_first: nothing was stored of the list before.
        """
        manifests = {} if segmentation is None else segmentation.manifests
        metadata = Metadata(
            status=self.status,
            version=version,
            etag=self.etag,
            content_type=self.content_type,
            changed_at=now if changed_at is None else changed_at,
            size=size_of(manifests[LIST], LIST_SEPARATOR) if manifests else len(self.body),
            validated_at=now,
            fresh_until=now + self.lifetime(lifetime),
            items=self.shown,
            links=tuple(self.links),
            location=self.location,
            form=resource.stored_form,
            derived=resource.kind.derived,
            confirmed_by=version,
            first_at=now if is_first else 0.0,
            segments=0 if segmentation is None else len(segmentation.names),
        )
        if manifests:
            return Entry(metadata, b"", manifests=manifests)
        array = None if self.ends is None else JsonArray(self.body, self.ends)
        return Entry(metadata, self.body, _encoded(self.body), array, self.views)


def of_list(read: ReadList, kind: Kind) -> Content:
    """The content of an expanded list, without its non-public items."""
    items = read.items
    common = Content(
        status=200,
        body=b"",
        ids=items.ids,
        pages=read.pages,
        ends_without_link=read.ends_without_link,
        tag=etag_of(items),
        shown=len(items),
    )
    large = segmented(items, kind, read.before)
    if large is not None:
        return replace(common, segmented=large)
    array = JsonArray.join(items.texts(slice(None)))
    views = views_of(items.rows, kind) if kind.rankings else {}
    return replace(common, body=array.body, ends=array.ends, views=views)


def of_response(
    response: GitHubResponse, page: Page, *, question: Question, is_object: bool, findings: Findings
) -> Content:
    """The content of a single response: GitHub's own body, without its non-public parts.

    A private repository becomes a 404; nothing of it is kept.

    Args:
        response: content or an error, by `response_decision.decide`.
        page: the same response in the form in which it is kept.
        question: the request.
        is_object: it must be a single object.
        findings: collects what was found; content that `Findings.hides` must not be stored.

    Raises:
        OriginError: the body is not JSON, or has another shape than GitHub describes.
    """
    if response.status == 204:
        return Content(204, b"")
    content_type = response.headers.get("Content-Type", JSON)
    if response.status == 200 and is_sent_as(content_type, question.media):
        return Content(200, response.body, content_type, links=links_of(response), pages=[page])
    value = decode(response.body)
    if is_object and not isinstance(value, dict):
        raise OriginError(FailureKind.UNEXPECTED, "GitHub sent something other than an object")
    text = response.body.decode().strip(_WHITESPACE)
    try:
        shape = question.shape if response.status == 200 else ERROR
        public, left = narrowed(text, value, shape, findings)
        if response.status == 200 and not _is_of(shape, value, left):
            raise UnfitError
    except (UnfitError, RecursionError) as error:
        reason = "GitHub sent JSON of another shape than it describes"
        raise OriginError(FailureKind.UNEXPECTED, reason) from error
    if not question.include_private and isinstance(value, dict) and Mark.PRIVATE in mark_of(value):
        return not_found()
    if response.status == 404 and isinstance(left, dict) and left.get("message") == NOT_FOUND:
        return replace(not_found(), pages=[page])
    body = response.body if public is text else public.encode()
    if response.status == 200 and isinstance(value, list):
        page = replace(page, items=len(value))
    return Content(response.status, body, content_type, links=links_of(response), pages=[page])


def _is_of(shape: Shape, value: Any, left: Any) -> bool:
    """Whether a value has the described shape; an error that is sent with a 200 does not."""
    is_of_a_kind = shape.is_free or shape.is_scalar or isinstance(left, dict | list)
    return is_of_a_kind and (bool(left) or not value)


def without_hidden(content: Content, *, shape: Shape, include_private: bool = False) -> Content:
    """The public part of a response that cannot be requested again; a 404 if there is none.

    GitHub shows nothing private to anonymous clients. If it ever does, or if a credential sees
    drafts of a private repository, the items of a list that are not public are left out.

    Args:
        content: made by `of_response`.
        shape: the public shape that it was made with.
        include_private: private repositories are admitted.
    """
    if not content.body.lstrip().startswith(b"[") or shape.items is None:
        return not_found()
    shown: list[bytes] = []
    for text, value in elements(content.body):
        findings = Findings()
        narrowed(text, value, shape.items, findings)
        if not findings.hides(include_private=include_private):
            shown.append(text.encode())
    return replace(content, body=JsonArray.join(shown).body)


def not_found() -> Content:
    """GitHub's 404, the same for a private resource and for one that does not exist."""
    return Content(404, NOT_FOUND_BODY)


def not_ready(seconds: float) -> Content:
    """GitHub's 202: it is still computing the content.

    Args:
        seconds: until another request is useful.
    """
    return Content(202, b"{}", longest=seconds)


def of_archive(location: str) -> Content:
    """GitHub's redirect to an archive, which clients follow themselves.

    Args:
        location: the archive's address.
    """
    return Content(302, b"", location=location, longest=_ARCHIVE_LIFETIME)


def not_served(reason: str) -> Content:
    """Our own refusal of what GitHub serves; clients are told why.

    Args:
        reason: a sentence.
    """
    error = github_error(403, f"This cache does not serve this. {reason} Ask GitHub itself.")
    return Content(403, json.dumps(error, separators=(",", ":")).encode())


def with_links(entry: Entry, unchanged: Unchanged) -> Content:
    """The content of an entry whose body GitHub confirmed, with the `Link` of the 304.

    Of the header fields of a 304 (RFC 9111 sections 3.2 and 4.3.4), only `Link` and `ETag` are
    stored. `Content-Type` stays that of the body, which was checked and perhaps narrowed when it
    was downloaded.

    Args:
        entry: the stored one.
        unchanged: its page, and the `Link`.
    """
    metadata = entry.metadata
    return Content(
        metadata.status,
        bytes(entry.body),
        metadata.content_type,
        links=unchanged.links or (),
        pages=unchanged.pages,
    )


def links_of(response: GitHubResponse) -> list[tuple[str, str]]:
    """`Link` of a response as (relation, query) pairs.

    The path in GitHub's links has ids instead of names; the query alone selects the page. The first
    page of a list by ids is a template, `{?since}` (RFC 6570).
    """
    found = []
    for relation in _RELATIONS:
        if relation in response.links:
            parts = urlsplit(response.links[relation])
            is_template = parts.path.endswith("{")
            found.append((relation, f"{{?{parts.query}" if is_template else parts.query))
    return found


def _encoded(body: bytes) -> dict[str, bytes]:
    return {} if len(body) < _WORTH_COMPRESSING else long_work.run(compressed, body)
