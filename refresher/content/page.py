"""A page of GitHub's, as it is stored for the next conditional request."""

import gzip
import re
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from refresher.content.page_index import PageIndex
from refresher.errors import StoredPageError
from refresher.github.client import GitHubClient
from refresher.github.conditional import Validator
from refresher.github.response import GitHubResponse
from shared import long_work

_GONE = frozenset({404, 410})
# With this token anyone could clone a private repository, so it must not be stored anywhere.
_CLONE_TOKEN = re.compile(rb'("temp_clone_token"\s*:\s*)"[^"]+"')


class Body:
    """A page's body, kept compressed; loaded and decompressed only when needed.

    If one of 70 pages changed, the others are not decompressed to find that out.

    Args:
        load: returns the compressed body; called at most once.
    """

    def __init__(self, load: Callable[[], bytes]) -> None:
        self._load = load
        self._packed: bytes | None = None

    @classmethod
    def of(cls, body: bytes) -> "Body":
        """A body that is in memory."""
        # Immediately: 70 decompressed ones are 40 MB.
        return cls.of_packed(long_work.run(partial(gzip.compress, mtime=0), body))

    @classmethod
    def of_packed(cls, packed: bytes) -> "Body":
        """A compressed body that is in memory."""
        return cls(lambda: packed)

    def packed(self) -> bytes:
        """The body, compressed."""
        if self._packed is None:
            self._packed = self._load()
        return self._packed

    def unpacked(self) -> bytes:
        """The body as GitHub sent it.

        Raises:
            StoredPageError: it was stored, and is damaged or gone.
        """
        try:
            return gzip.decompress(self.packed())
        except (OSError, EOFError, zlib.error) as error:
            raise StoredPageError from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and self.packed() == other.packed()

    def __hash__(self) -> int:
        return hash(self.packed())


def _no_index() -> None:
    return None


@dataclass(frozen=True)
class Unchanged:
    """The result for a resource none of whose pages changed.

    Args:
        pages: the known pages, updated from the headers of the responses.
        links: of an on-demand page, the `Link` that the 304 carried, as (relation, query) pairs;
            None if it carried none, or the stored one: then that stays.
    """

    pages: Sequence["Page"]
    links: Sequence[tuple[str, str]] | None = None


@dataclass(frozen=True)
class Page:
    """A page of GitHub's as it is stored.

    Args:
        url: of the request.
        etag: as GitHub sent it; None if it sent none.
        next_url: URL of the next page; None on the last.
        body: as sent, without the clone token that it may contain.
        given_to: fingerprint of the identity that the ETag was sent to.
        items: number of items on a list's page; None for anything else.
        moved_to: its new URL, if GitHub redirected to it permanently.
        asked_by: id of the credential that requested it last.
        moved_at: Unix time in seconds when the original URL was asked last, if it has moved.
        load_index: returns the index of a list's page, or None if it has none.
    """

    url: str
    etag: str | None
    next_url: str | None
    body: Body = field(repr=False)
    given_to: str = ""
    items: int | None = None
    moved_to: str | None = None
    asked_by: str = ""
    moved_at: float = 0
    load_index: Callable[[], PageIndex | None] = field(default=_no_index, repr=False, compare=False)

    @classmethod
    def of(cls, response: GitHubResponse, url: str, items: int | None = None) -> "Page":
        """The page in a response to a request for `url`."""
        return cls(
            url,
            response.headers.get("ETag"),
            response.links.get("next"),
            Body.of(_CLONE_TOKEN.sub(rb"\1null", response.body)),
            response.given_to,
            items,
            response.moved_to,
            response.credential,
            response.moved_at,
        )

    @property
    def validator(self) -> Validator:
        """The validator for a conditional request."""
        return Validator(self.etag, self.given_to, self.body.unpacked)

    def confirmed(self, response: GitHubResponse) -> "Page":
        """The same page after a 304, which may carry a new ETag, and may lack `Link`."""
        return replace(
            self,
            etag=response.headers.get("ETag", self.etag),
            given_to=response.given_to,
            asked_by=response.credential,
            moved_to=response.moved_to,
            moved_at=response.moved_at,
            next_url=response.links.get("next") if response.links else self.next_url,
        )

    def with_index(self, index: PageIndex) -> "Page":
        """The same page with an index."""
        return replace(self, load_index=lambda: index)

    def asked_before(self, moment: float) -> "Page":
        """The same page; if its original URL was asked before that moment, it is asked again.

        A redirect is not believed for ever: the name may belong to another resource by now.

        Args:
            moment: Unix time in seconds.
        """
        return replace(self, moved_to=None, moved_at=0) if self.moved_at < moment else self


def ask(
    origin: GitHubClient,
    url: str,
    page: Page | None,
    validator: Validator | None,
    *,
    among: Collection[str] | None = None,
) -> GitHubResponse:
    """Request a page at its known permanent redirect target, or at its original URL.

    If the target is gone, the original URL is tried. A renamed repository redirects for ever, which
    would cost one more request each time.

    Args:
        origin: GitHub.
        url: the original URL.
        page: the stored page, if there is one.
        validator: for a conditional request.
        among: ids of the credentials that may be used, besides the anonymous one; None for any.

    Raises:
        OriginError: there was no complete response.
    """
    moved_to = page.moved_to if page else None
    if moved_to is None:
        return origin.get(url, validator, among=among)
    response = origin.get(moved_to, validator, among=among)
    if response.status in _GONE:  # it moved again, or back
        return origin.get(url, validator, among=among)
    moved_to = response.moved_to or moved_to
    return replace(response, moved_to=moved_to, moved_at=page.moved_at if page else 0)
