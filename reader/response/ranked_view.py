"""A ranked view: the first or the last items of a list, in the order of one of its rankings."""

from dataclasses import dataclass, replace

from reader.errors import BadRequest, NotFound, Unavailable
from reader.response.paging import MAX_DIGITS
from reader.response.representation import Representation
from shared import etag
from shared.entry import Entry
from shared.github_form import JSON
from shared.json_array import first_of, last_of
from shared.resources.kinds import Kind
from shared.resources.views import rankings

# Seconds after which a client may ask again for a view that an entry lacks: a refresh makes it.
_RETRY_AFTER = 5


@dataclass(frozen=True)
class RankedView:
    """A ranked view as a path names it.

    Args:
        ranking: name of the ranking.
        from_top: the first items of the order, otherwise the last items of the same order.
        count: how many; all if there are fewer.
    """

    ranking: str
    from_top: bool
    count: int

    @classmethod
    def parse(cls, direction: str, count: str, ranking: str) -> "RankedView":
        """Read the three segments of a view's path.

        Raises:
            NotFound: there is no such direction or ranking.
            BadRequest: `count` is not a whole number from 1.
        """
        if direction not in {"top", "bottom"} or ranking not in rankings():
            raise NotFound
        return cls(ranking, direction == "top", _view_count(count))

    @property
    def kind(self) -> Kind:
        """The kind of list that it shows."""
        return rankings()[self.ranking][0]

    def of(self, entry: Entry) -> Representation:
        """The view of a list.

        Raises:
            Unavailable: the entry was stored by a release that does not know this ranking.
        """
        array = entry.views.get(self.ranking)
        if array is None:
            raise Unavailable(
                f"The view {self.ranking} is not available yet: another release stored the list.",
                retry_after=_RETRY_AFTER,
            )
        count = min(self.count, len(array))
        body = first_of(array, count) if self.from_top else last_of(array, count)
        tag = etag.of_view((body,) if isinstance(body, bytes) else body.parts)
        return Representation(replace(entry.metadata, content_type=JSON), body, tag)


def _view_count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not text.strip("0"):
        raise BadRequest(f"{text[:40]!r} is not a whole number from 1.")
    # Cut short: Python refuses to read numbers of thousands of digits.
    return int(text.lstrip("0")[:MAX_DIGITS])
