"""What a request target names: a resource, and what of it is to be sent. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qs, unquote

from reader.errors import NotFound
from reader.response.paging import is_page_query, page
from reader.response.ranked_view import View
from reader.response.representation import Representation, whole
from reader.telemetry.counters import RequestLabels, Route, route_of
from shared.entry import Entry
from shared.outcomes import Served
from shared.resources.resource import Catalogue, Resource

_VIEW = "view"


@dataclass(frozen=True)
class Target:
    """A resource, and how what is sent is made of its entry.

    Args:
        resource: what is looked up.
        represent: the entry's whole, a page of it, or a view.
        route: what it is counted as.
    """

    resource: Resource
    represent: Callable[[Entry], Representation]
    route: Route

    def labels(self, served: Served, status: int, *, is_stale: bool) -> RequestLabels:
        """What an answer with its content is counted as."""
        name = None if self.resource.tracked else self.resource.name
        return RequestLabels(self.route, served, status, is_stale, name)


def parse_target(catalogue: Catalogue, target: str) -> Target:
    """What a target names.

    Args:
        catalogue: what can be had.
        target: path and query as the client sent them, percent-encoded or not.

    Raises:
        NotFound: nothing that is to be had here.
        BadRequest: a view of a number that is none.
    """
    path, _, query = target.partition("?")
    if path.startswith("//"):  # which names another thing here than at GitHub
        raise NotFound
    segments = [unquote(segment) for segment in path.split("/")]
    if len(segments) == 5 and segments[:2] == ["", _VIEW] and all(segments[2:]):
        return _view(catalogue, segments, query)
    if is_page_query(query):
        listed = catalogue.find(path)
        if listed is not None and listed.expanded:
            return Target(listed, partial(page, query=query), route_of(listed))
    found = catalogue.find(path, query)
    if found is None:
        raise NotFound
    return Target(found, whole, route_of(found))


def _view(catalogue: Catalogue, segments: list[str], query: str) -> Target:
    view = View.parse(*segments[2:])
    asked = parse_qs(query, keep_blank_values=True).get("org", [catalogue.orgs[0]])
    org = catalogue.org(asked[0])
    if org is None:
        raise NotFound("Not Found: the organisation is not tracked here.")
    return Target(catalogue.repositories(org), view.of, Route.VIEW)
