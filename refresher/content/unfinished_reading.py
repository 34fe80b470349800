"""What an interrupted reading of a list has read, so that the next one goes on with it. Pure.

The pages are those of one credential. Whether all pages together are a consistent list is decided
when the last one has been read (`list_consistency`), however long the reading was interrupted:

    A reads pages 1 to 40, and is stopped | B goes on: reads pages 41 to 70, and judges all 70

The list is as old as the oldest page that was not requested again, and it handles only the
invalidation that was known when its reading began:

    A reads page 1 | an event changes page 1 | A is stopped | B goes on with page 2, and stores
    -> the event's invalidation stays, so the list is read once more
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from refresher.content.page import Page
from refresher.github.response import GitHubResponse


@dataclass(frozen=True)
class Began:
    """When the reading of a list began.

    Args:
        asked_at: Unix time in seconds of its oldest request.
        invalidated_by: the invalidation that was known then; None for none.
    """

    asked_at: float
    invalidated_by: str | None


@dataclass(frozen=True)
class KeptPage:
    """A page that an interrupted reading has read.

    Args:
        page: as it would be stored.
        asked_at: Unix time in seconds of its request.
        status: of its response.
        links: `Link` of its response, target by relation.
        is_anonymous: it was requested without a credential.
        is_changed: it differs from the stored page, or may differ.
    """

    page: Page
    asked_at: float
    status: int
    links: Mapping[str, str]
    is_anonymous: bool
    is_changed: bool

    @property
    def response(self) -> GitHubResponse:
        """The response again, without its header fields and its body."""
        return GitHubResponse(
            self.page.url,
            self.status,
            {},
            b"",
            self.links,
            self.page.given_to,
            self.page.asked_by,
            self.is_anonymous,
            self.page.moved_to,
            self.page.moved_at,
        )


@dataclass(frozen=True)
class UnfinishedReading:
    """The pages of an interrupted reading, by URL.

    Args:
        asked_by: id of the credential that got them.
        invalidated_by: the invalidation that was known when the reading began; None for none.
        recent: pages that are not requested again.
        older: pages that are requested again, conditionally.
        is_page_look: nothing was interrupted: events say that the recent pages have not changed.
    """

    asked_by: str = ""
    invalidated_by: str | None = None
    recent: Mapping[str, KeptPage] = field(default_factory=dict)
    older: Mapping[str, KeptPage] = field(default_factory=dict)
    is_page_look: bool = False


NOTHING_READ = UnfinishedReading()
