"""What a request target names: a resource, and which representation of it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from urllib.parse import parse_qs, unquote

from reader.errors import NotFound
from reader.response.mount import split_mount
from reader.response.mounted_entry import with_tag_of
from reader.response.negotiation import fields_of, negotiated
from reader.response.paging import is_page_query, page
from reader.response.ranked_view import RankedView
from reader.response.refused_paths import refused_path
from reader.response.representation import Representation, whole
from reader.telemetry.counters import RequestLabels, Route
from shared.entry import Entry
from shared.outcomes import Served
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource

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
    return replace(found, resource=negotiated(found.resource, accept=accept, version=version))


def _named(catalogue: Catalogue, target: str) -> Target:
    """What a request target names, as JSON."""
    mount, target = split_mount(target)
    path, _, query = target.partition("?")
    if path.startswith("//"):  # which names another thing here than at GitHub
        raise NotFound
    segments = [unquote(segment) for segment in path.split("/")]
    if len(segments) == 5 and segments[:2] == ["", _VIEW] and all(segments[2:]):
        return replace(_view(catalogue, segments, query), mount=mount)
    if is_page_query(query):
        listed = catalogue.find(path)
        if listed is not None and listed.kind.is_expanded:
            return Target(listed, partial(page, query=query), listed.kind.route, mount)
    found = catalogue.find(path, query)
    if found is None:
        raise refused_path(catalogue.unserved(path, query))
    return Target(found, whole, found.kind.route, mount)


def _view(catalogue: Catalogue, segments: list[str], query: str) -> Target:
    view = RankedView.parse(*segments[2:])
    asked = parse_qs(query, keep_blank_values=True).get("org", [catalogue.orgs[0]])
    org = catalogue.org(asked[0])
    if org is None:
        raise NotFound("Not Found: the organisation is not tracked here.")
    return Target(catalogue.of_kind(view.kind, org), view.of, Route.VIEW)
