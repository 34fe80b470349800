"""A list and its views as the segments in which they are stored; only what changed is compressed.

A segment whose name is stored already is neither read nor compressed again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

from refresher.content.page_index import ListItem
from refresher.content.ranking import Ranked, RankedRows, ranked
from shared import long_work
from shared.entry import LIST, LIST_SEPARATOR, VIEW_SEPARATOR
from shared.gzip_joining import deflated
from shared.resources.kinds import Kind
from shared.segments import Packed, Segment, cut, name_of

_USUAL_ITEMS = 32  # of a segment of a list: about 170 kB of repositories
_USUAL_ROWS = 256  # of a segment of a view: about 10 kB


@dataclass(frozen=True)
class Run:
    """The items of a segment.

    Args:
        name: of the segment.
        texts: returns the items' texts.
    """

    name: bytes
    texts: Callable[[], Sequence[bytes]] = field(repr=False)


@dataclass(frozen=True)
class Stored:
    """What is stored of a list.

    Args:
        manifests: of the list and its views, by name.
        digests: of what each view was made of, by its name.
    """

    manifests: Mapping[str, Sequence[Segment]] = field(default_factory=dict)
    digests: Mapping[str, bytes] = field(default_factory=dict)

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
    """

    manifests: Mapping[str, Sequence[Segment]]
    digests: Mapping[str, bytes]
    new: Mapping[bytes, bytes]

    @property
    def names(self) -> set[bytes]:
        """The names of all segments."""
        return {one.name for segments in self.manifests.values() for one in segments}


@dataclass(frozen=True)
class SegmentedList:
    """A list and its views, cut into segments.

    Args:
        runs: of the list.
        views: by name, not ranked yet.
    """

    runs: Sequence[Run]
    views: Mapping[str, Ranked]

    def segmentation(self, stored: Stored) -> Segmentation:
        """The manifests, and the bodies of the segments that are not stored.

        A view whose values are those that it was made of is neither ranked nor cut again.

        Args:
            stored: what is stored of the list.

        Raises:
            StoredPageError: the text of an unchanged item could not be read.
        """
        known, new = stored.segments, dict[bytes, bytes]()
        manifests = {LIST: _manifest(self.runs, LIST_SEPARATOR, known, new)}
        for name, view in self.views.items():
            kept = stored.manifests.get(name)
            if kept is None or stored.digests.get(name) != view.digest:
                kept = _manifest(_runs_of(view.rows()), VIEW_SEPARATOR, known, new)
            manifests[name] = tuple(kept)
        digests = {name: view.digest for name, view in self.views.items()}
        return Segmentation(manifests, digests, new)


def _manifest(
    runs: Sequence[Run], separator: bytes, known: dict[bytes, Segment], new: dict[bytes, bytes]
) -> tuple[Segment, ...]:
    """The segments of runs; those that are not known are added to both."""
    for run in runs:
        if run.name not in known:
            known[run.name], new[run.name] = _packed(run, separator)
    return tuple(known[run.name] for run in runs)


def _packed(run: Run, separator: bytes) -> tuple[Segment, bytes]:
    texts = run.texts()
    slowly = partial(long_work.run, deflated)
    packed, checked = Packed.of(texts, separator=separator, deflate=slowly)
    return Segment(run.name, len(texts), checked, len(packed.blocks)), packed.to_bytes()


def etag_of(items: Sequence[ListItem]) -> str:
    """The entity tag of a list: a digest of its items' digests, wherever its segments end."""
    digests = "".join(item.digest for item in items)
    return sha256(f"list\n{digests}".encode()).hexdigest()[:32]


def segmented(items: Sequence[ListItem], kind: Kind) -> SegmentedList | None:
    """A list and its views, cut into segments; None if the list has only one.

    Args:
        items: that are shown.
        kind: of the list.
    """
    cuts = cut([item.id for item in items], usual=_USUAL_ITEMS)
    if len(cuts) < 2:
        return None
    digests = [item.digest for item in items]
    runs = [Run(name_of(digests[one]), partial(_texts_of, items[one])) for one in cuts]
    rows = (item.row for item in items if item.row is not None)
    return SegmentedList(runs, dict(ranked(rows, kind)))


def _texts_of(items: Sequence[ListItem]) -> list[bytes]:
    return [item.text for item in items]


def _runs_of(rows: RankedRows) -> list[Run]:
    """The segments of a view; each is named by its body, which is short."""
    cuts = cut(rows.names, usual=_USUAL_ROWS)
    return [Run(name_of(rows.texts[one]), partial(_encoded, rows.texts[one])) for one in cuts]


def _encoded(texts: Sequence[str]) -> list[bytes]:
    return [text.encode() for text in texts]
