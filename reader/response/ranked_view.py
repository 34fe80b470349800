"""A ranked view: the first or the last of a list in the order of a metric."""

from dataclasses import dataclass, replace

from reader.errors import BadRequest, NotFound
from reader.response.representation import Representation
from shared.entry import Entry
from shared.github_form import JSON
from shared.resources.views import Metric

# More digits than any list has items.
_MAX_DIGITS = 15


@dataclass(frozen=True)
class View:
    """A ranked view as a path names it.

    Args:
        metric: what is ranked by.
        from_top: the first of the order, else the last of the same order.
        count: how many; more than there are gives all.
    """

    metric: Metric
    from_top: bool
    count: int

    @classmethod
    def parse(cls, direction: str, count: str, metric: str) -> "View":
        """Read the three segments of a view's path.

        Raises:
            NotFound: no such direction or metric.
            BadRequest: `count` is not a whole number from 1.
        """
        if direction not in {"top", "bottom"} or metric not in set(Metric):
            raise NotFound
        return cls(Metric(metric), direction == "top", _view_count(count))

    def of(self, entry: Entry) -> Representation:
        """The view of a ranked list."""
        array = entry.views[self.metric]
        count = min(self.count, len(array))
        body = array.first(count) if self.from_top else array.last(count)
        direction = "top" if self.from_top else "bottom"
        return Representation(
            replace(entry.metadata, content_type=JSON),
            body,
            f"{entry.metadata.etag}-{direction}-{count}-{self.metric}",
        )


def _view_count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not text.strip("0"):
        raise BadRequest(f"{text[:40]!r} is not a whole number from 1.")
    # Cut short: Python refuses to read numbers of thousands of digits.
    return int(text.lstrip("0")[:_MAX_DIGITS])
