"""One page of the origin, as it is kept for the next conditional request."""

import gzip
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from refresher.github.client import GitHubClient
from refresher.github.conditional import Validator
from refresher.github.response import GitHubResponse

_GONE = frozenset({404, 410})
# What lets its holder clone a private repository is not to be stored, in Redis or anywhere.
_CLONE_TOKEN = re.compile(rb'("temp_clone_token"\s*:\s*)"[^"]+"')


class Body:
    """A page's body, kept compressed; fetched and unpacked only when somebody needs it.

    Of a list of 70 pages, of which one changed, the others are never unpacked to find that out.

    Args:
        load: gives the compressed body; called at most once.
    """

    def __init__(self, load: Callable[[], bytes]) -> None:
        self._load = load
        self._packed: bytes | None = None

    @classmethod
    def of(cls, body: bytes) -> "Body":
        """A body that is at hand."""
        packed = gzip.compress(body, mtime=0)  # at once: 70 unpacked ones are 40 MB
        return cls(lambda: packed)

    def packed(self) -> bytes:
        """The body, compressed."""
        if self._packed is None:
            self._packed = self._load()
        return self._packed

    def unpacked(self) -> bytes:
        """The body as GitHub sent it."""
        return gzip.decompress(self.packed())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and self.packed() == other.packed()

    def __hash__(self) -> int:
        return hash(self.packed())


@dataclass(frozen=True)
class Unchanged:
    """What GitHub says of a resource of which no page changed.

    Args:
        pages: the known ones, with what the answers told anew of them.
    """

    pages: Sequence["Page"]


@dataclass(frozen=True)
class Page:
    """One page of the origin as it is kept.

    Args:
        url: that was asked for.
        etag: GitHub's, as sent; None where it sent none.
        next_url: the next page; None on the last.
        body: as sent, less a token that it may hold.
        given_to: fingerprint of the identity that the ETag was sent to.
        items: how many items a list's page holds; None for anything else.
        moved_to: where it was found in the end, if GitHub said that it stays there.
        asked_by: id of the credential that it was given to last.
    """

    url: str
    etag: str | None
    next_url: str | None
    body: Body = field(repr=False)
    given_to: str = ""
    items: int | None = None
    moved_to: str | None = None
    asked_by: str = ""

    @classmethod
    def of(cls, response: GitHubResponse, url: str, items: int | None = None) -> "Page":
        """The page in an answer to a request for `url`."""
        return cls(
            url,
            response.headers.get("ETag"),
            response.links.get("next"),
            Body.of(_CLONE_TOKEN.sub(rb"\1null", response.body)),
            response.given_to,
            items,
            response.moved_to,
            response.credential,
        )

    @property
    def validator(self) -> Validator:
        """For asking whether the page changed."""
        return Validator(self.etag, self.given_to, self.body.unpacked)

    def confirmed(self, response: GitHubResponse) -> "Page":
        """The same page after a 304, which may carry a new ETag, and `Link` or none at all."""
        return replace(
            self,
            etag=response.headers.get("ETag", self.etag),
            given_to=response.given_to,
            asked_by=response.credential,
            moved_to=response.moved_to or self.moved_to,
            next_url=response.links.get("next") if response.links else self.next_url,
        )


def ask(
    origin: GitHubClient,
    url: str,
    page: Page | None,
    validator: Validator | None,
    *,
    among: Collection[str] | None = None,
) -> GitHubResponse:
    """Ask for a page where it is known to have moved to, or else where it was asked for before.

    A repository that was renamed answers 301 for ever, which would be a request more each time.

    Args:
        origin: where from.
        url: what to ask for.
        page: what is known of it.
        validator: for asking whether it changed.
        among: ids of the credentials that may be used beside none at all; None for any.

    Raises:
        OriginError: no complete answer came.
    """
    moved_to = page.moved_to if page else None
    if moved_to is None:
        return origin.get(url, validator, among=among)
    response = origin.get(moved_to, validator, among=among)
    if response.status in _GONE:  # it moved on, or back
        return origin.get(url, validator, among=among)
    return replace(response, moved_to=response.moved_to or moved_to)
