"""An event of the change feed as a process tells it. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from shared.changes import FIELD, EventId
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource

_TOLD = ("resource", "status", "etag", "asked_at", "items", "read_anew")
_LATEST = 253_402_300_799  # Unix time of the end of the year 9999


@dataclass(frozen=True)
class Event:
    """An event.

    Args:
        id: of the event.
        resource: that changed.
        version: of the entry.
        told: what followers are told.
        is_quiet: only those who name the resource are told.
    """

    id: EventId
    resource: Resource
    version: int
    told: Mapping[str, Any]
    is_quiet: bool = False

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The event as JSON has it."""
        return {"id": str(self.id), **self.told}

    @cached_property
    def lines(self) -> bytes:
        """The event as a stream of server-sent events has it."""
        return sent(self.id, "change", self.document)


def sent(event_id: EventId, name: str, document: Mapping[str, Any]) -> bytes:
    """A server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    data = json.dumps(document, separators=(",", ":"))  # in one line
    return f"id: {event_id}\nevent: {name}\ndata: {data}\n\n".encode()


def parse(event_id: EventId, fields: Mapping[bytes, bytes], catalogue: Catalogue) -> Event | None:
    """An event in a stream of Redis's; None for one that is not of this process, or damaged.

    Args:
        event_id: of the entry of the stream.
        fields: of that entry.
        catalogue: finds the resource.
    """
    try:
        value = json.loads(fields[FIELD.encode()])
        resource = catalogue.named(value["resource"])
        if resource is None or resource.form != value["form"]:
            return None
        told = {name: value[name] for name in _TOLD if name in value}
        told["asked_at"] = _written(value["asked_at"])
        is_quiet = value.get("quiet") is True
        return Event(event_id, resource, int(value["version"]), told, is_quiet)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _written(seconds: float) -> str:
    """A time as GitHub writes it, with milliseconds."""
    if not 0 <= seconds <= _LATEST:
        raise ValueError
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
