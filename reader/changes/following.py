"""What a follower of the change feed asks for: a pure function of its request."""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from reader.changes.event import Event
from reader.errors import BadRequest, NotFound
from reader.response.target import parse_target
from shared.changes import EventId, event_id
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource

CHANGES = "/changes"
EVENT_STREAM = "text/event-stream"
MOST_RESOURCES = 20  # that one follower names
LONGEST_WAIT = 60.0  # seconds
_MOST_QUERY = 8000  # characters


@dataclass(frozen=True)
class Following:
    """What a follower asks for.

    Args:
        ids: `Resource.id` of the resources that it names; None for all tracked ones.
        on_demand: it names content on demand.
        tracked: it follows tracked content.
        since: the last event that it has; None to begin now.
        wait: seconds to wait for an event, if it takes JSON.
        is_stream: it takes server-sent events.
    """

    ids: frozenset[str] | None = None
    on_demand: bool = False
    tracked: bool = True
    since: EventId | None = None
    wait: float = 0.0
    is_stream: bool = False

    def wants(self, event: Event) -> bool:
        """Whether it is told of an event. Content on demand is told only to those who name it."""
        if self.ids is not None:
            return event.resource.id in self.ids
        return event.resource.tracked and not event.is_quiet


def following(catalogue: Catalogue, query: str, *, accept: str, last_event_id: str) -> Following:
    """What a request asks for.

    Args:
        catalogue: what is served.
        query: as the client sent it.
        accept: value of `Accept`; empty if absent.
        last_event_id: value of `Last-Event-ID`, which counts more than `since` because a browser
            that connects again sends it beside the URL as it was; empty if absent.

    Raises:
        BadRequest: a parameter is wrong.
        NotFound, Forbidden, Unauthorized, UriTooLong: it names a resource that is not served.
    """
    if len(query) > _MOST_QUERY:
        raise BadRequest("The query is too long.")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise BadRequest("The query is not valid.") from None
    unknown = sorted({name for name, _ in pairs} - {"resource", "since", "wait"})
    if unknown:
        raise BadRequest("The parameters are resource, since and wait.")
    given = dict(pairs)
    named = [value for name, value in pairs if name == "resource"]
    if len(named) > MOST_RESOURCES:
        raise BadRequest(f"One follower can name up to {MOST_RESOURCES} resources.")
    resources = [_resource(catalogue, one) for one in named]
    return Following(
        frozenset(one.id for one in resources) if resources else None,
        on_demand=any(not one.tracked for one in resources),
        tracked=not resources or any(one.tracked for one in resources),
        since=_since(last_event_id or given.get("since", "")),
        wait=_wait(given.get("wait", "0")),
        is_stream=EVENT_STREAM in accept.lower(),
    )


def _resource(catalogue: Catalogue, name: str) -> Resource:
    """The resource of that name; for a page or a view of a list, the list.

    With `#`, it is a name as events have it, which says the representation.
    """
    if not name.startswith("/") or not name.isprintable():
        raise BadRequest("resource has to be a path, such as /orgs/Netflix/repos.")
    if "#" not in name:
        return parse_target(catalogue, name).resource
    found = catalogue.named(name)
    if found is None:
        raise NotFound
    return found


def _since(text: str) -> EventId | None:
    if not text:
        return None
    found = event_id(text)
    if found is None:
        raise BadRequest("since and Last-Event-ID have to be the id of an event.")
    return found


def _wait(text: str) -> float:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise BadRequest("wait has to be a number of seconds.")
    return min(float(text), LONGEST_WAIT)
