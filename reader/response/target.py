"""What a request target names: a resource, and which representation of it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from urllib.parse import parse_qs, unquote, urlencode

from reader.errors import NotFound
from reader.response.mount import split_mount
from reader.response.mounted_entry import with_tag_of
from reader.response.negotiation import fields_of, negotiated
from reader.response.paging import page, split_query
from reader.response.ranked_view import RankedView
from reader.response.refused_paths import refused_path
from reader.response.representation import Representation, whole
from reader.telemetry.counters import RequestLabels, Route
from shared.entry import Entry
from shared.outcomes import Served
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import ON_DEMAND
from shared.resources.resource import Resource
from shared.resources.resource_name import is_text

_VIEW = "view"


@dataclass(frozen=True)
class Target:
    """A resource, and the representation to select from its entry.

    Args:
        resource: the resource of the entry.
        select: gives the representation: the whole of a 200, a page or a view.
        route: its label in metrics.
        mount: the path below which the client asked for it; empty for none.
    """

    resource: Resource
    select: Callable[[Entry], Representation]
    route: str
    mount: str = ""

    def represent(self, entry: Entry) -> Representation:
        """The representation that the target names; a negative response is always sent whole.

        Raises:
            Unavailable: the entry lacks it.
        """
        select = whole if entry.metadata.status != 200 else self.select
        return with_tag_of(select(entry), entry.address)

    @cached_property
    def fields(self) -> Mapping[str, str]:
        """The header fields that say which representation a response is."""
        return fields_of(self.resource)

    def labels(self, served: Served, status: int, *, is_stale: bool) -> RequestLabels:
        """The labels under which a response with its content is counted."""
        name = None if self.resource.tracked else self.resource.name
        return RequestLabels(self.route, served, status, is_stale, name)


def parse_target(
    catalogue: Catalogue, target: str, *, accept: str | None = None, version: str | None = None
) -> Target:
    """What a request names.

    Args:
        catalogue: what is served.
        target: path and query as the client sent them, percent-encoded or not.
        accept: value of `Accept`; None if absent.
        version: value of `X-GitHub-Api-Version`; None if absent.

    Raises:
        NotFound: it names nothing that GitHub has.
        Forbidden, Unauthorized, UriTooLong: it names something that is not served here.
        BadRequest: it names a view whose number of items is not a number, or an unknown version.
        UnsupportedMediaType: nothing that the client accepts can be sent.
    """
    found = _named(catalogue, target)
    chosen = negotiated(found.resource, accept=accept, version=version)
    if chosen.media and found.resource.kind.is_expanded:  # only plain JSON is expanded
        found = _not_expanded(catalogue, target, found)
        accept = None if found.route == Route.VIEW else accept
        chosen = negotiated(found.resource, accept=accept, version=version)
    return replace(found, resource=chosen)


def _not_expanded(catalogue: Catalogue, target: str, found: Target) -> Target:
    """The page of GitHub's that a target names; a view is a view in any media type.

    Raises:
        ApiError: the page is not served on demand.
    """
    if found.route == Route.VIEW:
        return found
    path, _, query = split_mount(target)[1].partition("?")
    page_of_it = catalogue.find(path, query)
    if page_of_it is None:
        raise refused_path(catalogue.unserved(path, query))
    return replace(found, resource=page_of_it, select=whole, route=ON_DEMAND.route)


def _named(catalogue: Catalogue, target: str) -> Target:
    """What a request target names, as JSON."""
    mount, target = split_mount(target)
    path, _, query = target.partition("?")
    if path.startswith("//"):  # which names another thing here than at GitHub
        raise NotFound
    segments = [unquote(segment) for segment in path.split("/")]
    if len(segments) == 5 and segments[:2] == ["", _VIEW] and all(segments[2:]):
        return replace(_view(catalogue, segments, query), mount=mount)
    rest, selected = split_query(query)
    if selected and is_text(query):
        listed = catalogue.find(path, urlencode(rest))
        if listed is not None and listed.kind.is_expanded:
            return Target(listed, partial(page, query=query), listed.kind.route, mount)
    found = catalogue.find(path, query)
    if found is None:
        raise refused_path(catalogue.unserved(path, query))
    return Target(found, whole, found.kind.route, mount)


def _view(catalogue: Catalogue, segments: list[str], query: str) -> Target:
    view = RankedView.parse(*segments[2:])
    asked = parse_qs(query, keep_blank_values=True)
    if "of" in asked:
        return Target(_ranked_list(catalogue, asked["of"][0], view.ranking), view.of, Route.VIEW)
    org = catalogue.org(asked.get("org", [catalogue.orgs[0]])[0])
    if org is None:
        raise NotFound("Not Found: the organisation is not tracked here.")
    return Target(catalogue.of_kind(view.kind, org), view.of, Route.VIEW)


def _ranked_list(catalogue: Catalogue, name: str, ranking: str) -> Resource:
    """The tracked list of that name, written as a client would request it.

    Raises:
        NotFound: no such list is tracked, or its items lack what they would be ranked by.
    """
    path, _, query = name.partition("?")
    found = None if path.startswith("//") else catalogue.find(path, query)
    if found is None or not (found.tracked and found.kind.is_expanded):
        raise NotFound("Not Found: the list that of names is not tracked here.")
    if ranking not in {one.name for one in found.kind.rankings}:
        raise NotFound(f"Not Found: the items of this list have no {ranking}.")
    return found
