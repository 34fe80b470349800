"""A list and its views as the segments in which they are stored; only what changed is compressed.

A segment whose name is stored already is neither read nor compressed again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from hashlib import sha256

from refresher.content.list_items import ListItems, changed_rows
from refresher.content.ranking import USUAL_ROWS, Ranker, Row
from refresher.content.view_change import (
    StoredView,
    ViewRow,
    ViewRun,
    changed_view,
    runs_of,
)
from refresher.errors import StoredPageError
from shared import etag, long_work
from shared.entry import LIST, LIST_SEPARATOR, VIEW_SEPARATOR
from shared.gzip_joining import deflated
from shared.resources.kinds import Kind
from shared.segments import DIGEST_SIZE, Packed, Segment, name_of_digests, runs_between

_VALUES = frozenset({int, str, type(None)})


def _nothing(_: bytes) -> bytes | None:
    return None


@dataclass(frozen=True)
class Stored:
    """What is stored of a list.

    Args:
        manifests: of the list and its views, by name.
        digests: of what each view was made of, by its name.
        lasts: the last row of each segment of a view, by its name.
        load: returns the stored body of a segment by its name; None if it is gone.
    """

    manifests: Mapping[str, Sequence[Segment]] = field(default_factory=dict)
    digests: Mapping[str, bytes] = field(default_factory=dict)
    lasts: Mapping[str, Sequence[ViewRow]] = field(default_factory=dict)
    load: Callable[[bytes], bytes | None] = field(default=_nothing, repr=False)

    @property
    def segments(self) -> dict[bytes, Segment]:
        """All segments, by name."""
        return {one.name: one for segments in self.manifests.values() for one in segments}


NOTHING_STORED = Stored()


@dataclass(frozen=True)
class Segmentation:
    """What is written of a list.

    Args:
        manifests: of the list and its views, by name.
        digests: of what each view was made of, by its name.
        new: bodies of the segments that were not stored, by name.
        lasts: JSON: the last row of each segment of a view, by its name; of views that changed.
    """

    manifests: Mapping[str, Sequence[Segment]]
    digests: Mapping[str, bytes]
    new: Mapping[bytes, bytes]
    lasts: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def names(self) -> set[bytes]:
        """The names of all segments."""
        return {one.name for segments in self.manifests.values() for one in segments}


class _Manifests:
    """Makes manifests, and keeps the bodies of segments that are not stored.

    Args:
        known: the segments that are stored, by name.
    """

    def __init__(self, known: Mapping[bytes, Segment]) -> None:
        self._known = dict(known)
        self.new: dict[bytes, bytes] = {}

    def add(self, name: bytes, texts: Callable[[], Sequence[bytes]], separator: bytes) -> Segment:
        """The segment of that name; it is compressed if it is new."""
        if name not in self._known:
            items = texts()
            slowly = partial(long_work.run, deflated)
            packed, checked = Packed.of(items, separator=separator, deflate=slowly)
            self.new[name] = packed.to_bytes()
            self._known[name] = Segment(name, len(items), checked, len(packed.blocks))
        return self._known[name]


class SegmentedList:
    """A list and its views, cut into segments.

    Args:
        items: of the list.
        kind: of the list.
        before: the items that are stored; None if that is not known.
    """

    def __init__(self, items: ListItems, kind: Kind, before: ListItems | None = None) -> None:
        self._items = items
        self._kind = kind
        self._before = before

    def segmentation(self, stored: Stored) -> Segmentation:
        """The manifests, and the bodies of the segments that are not stored.

        A view whose values are those that it was made of is neither ranked nor cut again. If it was
        made of the items before, only the segments that the changed rows touch are.

        Args:
            stored: what is stored of the list.

        Raises:
            StoredPageError: the text of an unchanged item could not be read.
        """
        made, digests, lasts = _Manifests(stored.segments), dict[str, bytes](), dict[str, bytes]()
        manifests: dict[str, Sequence[Segment]] = {LIST: self._list_manifest(made)}
        ranker = cache(lambda: Ranker(self._items.rows))
        for at, ranking in enumerate(self._kind.rankings):
            name, digest = ranking.name, self._digest_of(self._items, at)
            digests[name] = digest
            kept = stored.manifests.get(name)
            if kept is not None and stored.digests.get(name) == digest:
                manifests[name] = tuple(kept)
                continue
            runs = self._changed(at, stored)
            if runs is None:
                runs = runs_of(*ranker().ranked(at))
            manifests[name] = tuple(
                made.add(run.name, partial(_encoded, run), VIEW_SEPARATOR) for run in runs
            )
            lasts[name] = f"[{','.join(run.last for run in runs)}]".encode()
        return Segmentation(manifests, digests, made.new, lasts)

    def _list_manifest(self, made: _Manifests) -> tuple[Segment, ...]:
        digests = self._items.digests
        found = []
        for run in runs_between(self._items.ends):
            name = name_of_digests(digests[run.start * DIGEST_SIZE : run.stop * DIGEST_SIZE])
            found.append(made.add(name, partial(self._items.texts, run), LIST_SEPARATOR))
        return tuple(found)

    def _digest_of(self, items: ListItems, at: int) -> bytes:
        """A digest of all that a view is made of."""
        head = f"{USUAL_ROWS} {self._kind.rankings[at].version}\n".encode()
        return sha256(head + items.views(at)).digest()[:DIGEST_SIZE]

    def _changed(self, at: int, stored: Stored) -> list[ViewRun] | None:
        """The segments of a view that was made of the items before; None to rank all rows."""
        name, before = self._kind.rankings[at].name, self._before
        if before is None or stored.digests.get(name) != self._digest_of(before, at):
            return None
        view = StoredView(stored.manifests[name], stored.lasts.get(name, ()), stored.load)
        try:
            gone, new = (
                [ViewRow(row.name, row.values[at]) for row in rows] for rows in self._changes
            )
            return changed_view(view, gone, new)
        except StoredPageError:
            return None

    @cached_property
    def _changes(self) -> tuple[list[Row], list[Row]]:
        assert self._before is not None
        return changed_rows(self._before, self._items)


def etag_of(items: ListItems) -> str:
    """The entity tag of a list: a digest of its items' digests, wherever its segments end."""
    return etag.of_list(items.digests)


def segmented(items: ListItems, kind: Kind, before: ListItems | None) -> SegmentedList | None:
    """A list and its views, cut into segments; None if the list has only one.

    Args:
        items: of the list.
        kind: of the list.
        before: the items that are stored; None if that is not known.
    """
    is_long = len(runs_between(items.ends)) > 1
    return SegmentedList(items, kind, before) if is_long else None


def lasts_in(text: bytes) -> list[ViewRow]:
    """The rows in `Segmentation.lasts`.

    Raises:
        ValueError, TypeError: they are damaged.
    """
    rows = [ViewRow(name, value) for name, value in json.loads(text)]
    if not all(type(row.name) is str and type(row.value) in _VALUES for row in rows):
        raise TypeError("a row has another type")
    return rows


def _encoded(run: ViewRun) -> list[bytes]:
    if run.texts is None:  # its manifest says that it is stored
        raise StoredPageError
    return [text.encode() for text in run.texts]
