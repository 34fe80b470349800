"""The events of the change feed, as refreshers write them and readers read them. Pure.

Two Redis streams hold them, one for tracked content and one for content on demand, so that what
clients request pushes no event of tracked content out. The script that stores an entry adds its
event (`refresher.storage.write_scripts`). Ids are those of Redis's streams, and grow over both.

An event is the JSON object in the field `event` of a stream's entry:

==========  ======================================================================================
member      meaning
==========  ======================================================================================
resource    `Resource.name`
form        `Resource.form`: a process for which an entry of this form is absent skips the event
version     of the entry
status      HTTP status of the content
etag        of the whole content, unencoded, with its quotes
asked_at    Unix time in seconds when GitHub was asked
items       of an expanded list: `added`, `removed` and `changed`, each a list of `{"id", "name"}`
quiet       true: only those who name the resource are told. It is a path of `TRACK` that GitHub has
            never shown, so others need not know that it exists
read_anew   true instead of `items`, if these are too many or not known
==========  ======================================================================================
"""

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

FIELD = "event"
MAX_NAMED = 100  # items in one event
MAX_NAME = 200  # characters of an item's name; a longer one is left out
MAX_BYTES = 16 * 1024  # of one event; a larger one names no items
_WAYS = ("added", "removed", "changed")


class ItemName(NamedTuple):
    """An item of a list.

    Args:
        id: GitHub's, or a digest of the item if it has none.
        name: as the views spell it; None if it is not known, or not to be named.
    """

    id: Hashable
    name: str | None


@dataclass(frozen=True)
class ItemChanges:
    """How the items of a list changed.

    Args:
        added: public items that it did not have.
        removed: items that it no longer has, or that are no longer public.
        changed: public items with another content.
    """

    added: Sequence[ItemName] = ()
    removed: Sequence[ItemName] = ()
    changed: Sequence[ItemName] = ()


class EventId(NamedTuple):
    """The id of an event: milliseconds of Redis's clock, and a number within them."""

    milliseconds: int
    number: int

    def __str__(self) -> str:
        return f"{self.milliseconds}-{self.number}"

    @property
    def next(self) -> "EventId":
        """The smallest id that is greater."""
        return EventId(self.milliseconds, self.number + 1)


BEFORE_ALL = EventId(0, 0)
_DIGITS = 19  # of each part: as many as fit 64 bits with a sign


def event_id(text: str) -> EventId | None:
    """The id that a text spells, `<milliseconds>-<number>` or `<milliseconds>`; None for others."""
    parts = text.split("-")
    if len(parts) > 2 or not all(
        part.isascii() and part.isdigit() and len(part) < _DIGITS for part in parts
    ):
        return None
    return EventId(int(parts[0]), int(parts[1]) if len(parts) == 2 else 0)


def event_text(fields: Mapping[str, Any], changes: ItemChanges | None, *, is_list: bool) -> str:
    """The JSON of an event.

    Args:
        fields: resource, form, version, status, etag and asked_at.
        changes: of a list's items; None if they are not known, or for anything but a list.
        is_list: whether the resource is an expanded list.
    """
    if not is_list:
        return _json(fields)
    if changes is not None:
        named = {way: [_item(one) for one in getattr(changes, way)] for way in _WAYS}
        text = _json({**fields, "items": named})
        if sum(map(len, named.values())) <= MAX_NAMED and len(text) <= MAX_BYTES:
            return text
    return _json({**fields, "read_anew": True})


def _item(item: ItemName) -> dict[str, Any]:
    name = item.name if item.name is None or len(item.name) <= MAX_NAME else None
    return {"id": item.id} if name is None else {"id": item.id, "name": name}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
