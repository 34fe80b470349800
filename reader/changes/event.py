"""An event of the change feed as a process tells it. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from shared.changes import FIELD, EventId
from shared.redis.withdrawals import REMEMBER_S
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.withdrawal import IN_FORCE_S, Withdrawals

_TOLD = ("resource", "status", "etag", "asked_at", "items", "read_anew")
# Seconds for which the items of an event are named: a repository that is withdrawn meanwhile is
# remembered for longer.
NAMED_S = REMEMBER_S - 2 * IN_FORCE_S
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

    def without(self, withdrawals: Withdrawals) -> "Event | None":
        """The event without what is withdrawn; None if it is about that alone.

        Which items of a list changed is not told if one of them is withdrawn: the follower reads
        the list anew, and so learns no more than whoever reads it now.

        Args:
            withdrawals: what is withdrawn.
        """
        remover = withdrawals.in_force(self.id.milliseconds / 1000)
        if remover is None:
            return self
        if self.resource.repository_key in remover.keys:
            return self if self.told.get("status") == 404 else None
        items = self.told.get("items")
        if not isinstance(items, dict) or not any(
            remover.names(item) for changed in items.values() for item in changed
        ):
            return self
        return self._without_items

    @cached_property
    def _without_items(self) -> "Event":
        told = {name: value for name, value in self.told.items() if name != "items"}
        return replace(self, told={**told, "read_anew": True})

    def told_late(self, now: float) -> "Event":
        """The event as it is told now: withdrawals are not remembered for ever.

        Args:
            now: Unix time in seconds.
        """
        is_old = self.id.milliseconds / 1000 < now - NAMED_S
        return self._without_items if is_old and "items" in self.told else self


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
