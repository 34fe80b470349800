"""Which items of a list were added, removed and changed, from the indexes of its pages. Pure.

The change feed names them. Only items that the public list shows or showed are named; one that
GitHub still lists, but as private, is told by its id alone.
"""

from collections.abc import Hashable, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from refresher.content.items import decode
from refresher.content.page import Page
from refresher.content.page_index import PageIndex
from refresher.errors import OriginError, StoredPageError
from shared.changes import MAX_NAMED, ItemChanges, ItemName
from shared.resources.kinds import Kind
from shared.segments import DIGEST_SIZE


class _Place(NamedTuple):
    """Where a public item is.

    Args:
        page: number of its page among those that differ.
        shown: number among the public items of the page.
        digest: of its text.
    """

    page: int
    shown: int
    digest: bytes


class _Side:
    """The pages of a list, before or after a change, that differ from the other side's.

    Args:
        pages: each with its index.
        kind: of the list.
    """

    def __init__(self, pages: Sequence[tuple[Page, PageIndex]], kind: Kind) -> None:
        self._pages, self._kind = pages, kind
        self._names: dict[int, Mapping[Hashable, str]] = {}
        self.hidden: set[Hashable] = set()
        self.places: dict[Hashable, _Place] = {}
        for number, (_, index) in enumerate(pages):
            shown = 0
            for at, one in enumerate(index.ids):
                if index.hidden[at]:
                    self.hidden.add(one)
                    continue
                digest = index.digests[at * DIGEST_SIZE : (at + 1) * DIGEST_SIZE]
                self.places[one] = _Place(number, shown, digest)
                shown += 1

    def named(self, item: Hashable) -> ItemName:
        """A public item with its name, if that is known."""
        number = self.places[item].page
        if number not in self._names:
            self._names[number] = self._names_on(number)
        return ItemName(item, self._names[number].get(item))

    def _names_on(self, number: int) -> Mapping[Hashable, str]:
        """The names of the public items of a page, by id; none if the page cannot be read."""
        page, index = self._pages[number]
        shown = [one for at, one in enumerate(index.ids) if not index.hidden[at]]
        try:
            if self._kind.rankings:
                return dict(zip(shown, (row.name for row in index.rows), strict=True))
            return _names_in(page.body.unpacked(), self._kind.named_by)
        except (StoredPageError, OriginError, ValueError):
            return {}


def item_changes(before: Sequence[Page], now: Sequence[Page], kind: Kind) -> ItemChanges | None:
    """How the items of a list changed; None if that is not known, or if they are too many to name.

    Args:
        before: the stored pages.
        now: the pages that were read.
        kind: of the list.
    """
    if not before:
        return None
    old, new = list[tuple[Page, PageIndex]](), list[tuple[Page, PageIndex]]()
    for one, other in zip_longest(before, now):
        sides = [(page, _index_of(page)) for page in (one, other) if page is not None]
        if any(index is None for _, index in sides):
            return None
        indexed = [(page, index) for page, index in sides if index is not None]
        if len(indexed) == 2 and _is_same(indexed[0][1], indexed[1][1]):
            continue
        old += indexed[:1] if one is not None else []
        new += indexed[-1:] if other is not None else []
    return _compared(_Side(old, kind), _Side(new, kind))


def _compared(old: _Side, new: _Side) -> ItemChanges | None:
    added = [one for one in new.places if one not in old.places]
    removed = [one for one in old.places if one not in new.places]
    changed = [
        one
        for one, place in new.places.items()
        if one in old.places and old.places[one].digest != place.digest
    ]
    if len(added) + len(removed) + len(changed) > MAX_NAMED:
        return None
    return ItemChanges(
        [new.named(one) for one in added],
        [ItemName(one, None) if one in new.hidden else old.named(one) for one in removed],
        [new.named(one) for one in changed],
    )


def _index_of(page: Page) -> PageIndex | None:
    try:
        return page.load_index()
    except StoredPageError:
        return None


def _is_same(one: PageIndex, other: PageIndex) -> bool:
    return one.digests == other.digests and one.marks == other.marks and one.ids == other.ids


def _names_in(body: bytes, member: str) -> dict[Hashable, str]:
    """The names of the items in a page as GitHub sent it, by id."""
    value = decode(body)
    items = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return {
        item["id"]: item[member]
        for item in items
        if isinstance(item.get("id"), int | str) and isinstance(item.get(member), str)
    }
