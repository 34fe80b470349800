"""A list and its views as the segments in which they are stored; only what changed is compressed.

A segment whose name is stored already is neither read nor compressed again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

from refresher.content.page_index import ListItem
from refresher.content.ranking import RankedRows, ranked
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
class Segmentation:
    """What is written of a list.

    Args:
        manifests: of the list and its views, by name.
        new: bodies of the segments that were not stored, by name.
    """

    manifests: Mapping[str, Sequence[Segment]]
    new: Mapping[bytes, bytes]

    @property
    def names(self) -> set[bytes]:
        """The names of all segments."""
        return {one.name for segments in self.manifests.values() for one in segments}


@dataclass(frozen=True)
class SegmentedList:
    """A list and its views, cut into segments.

    Args:
        arrays: the runs of the list and of its views, by name.
    """

    arrays: Mapping[str, Sequence[Run]]

    def segmentation(self, known: Mapping[bytes, Segment]) -> Segmentation:
        """The manifests, and the bodies of the segments that are not known.

        Args:
            known: the stored segments, by name.

        Raises:
            StoredPageError: the text of an unchanged item could not be read.
        """
        segments, new = dict(known), dict[bytes, bytes]()
        for name, runs in self.arrays.items():
            separator = LIST_SEPARATOR if name == LIST else VIEW_SEPARATOR
            for run in runs:
                if run.name not in segments:
                    segments[run.name], new[run.name] = _packed(run, separator)
        manifests = {
            name: tuple(segments[run.name] for run in runs) for name, runs in self.arrays.items()
        }
        return Segmentation(manifests, new)


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
    views = {name: _view(found) for name, found in ranked(rows, kind)}
    return SegmentedList({LIST: runs, **views})


def _texts_of(items: Sequence[ListItem]) -> list[bytes]:
    return [item.text for item in items]


def _view(rows: RankedRows) -> list[Run]:
    """The segments of a view; each is named by its body, which is short."""
    cuts = cut(rows.names, usual=_USUAL_ROWS)
    return [Run(name_of(rows.texts[one]), partial(_encoded, rows.texts[one])) for one in cuts]


def _encoded(texts: Sequence[str]) -> list[bytes]:
    return [text.encode() for text in texts]
