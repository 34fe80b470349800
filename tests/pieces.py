"""What a process that holds an entry finds in memory, for tests."""

from shared.entry import LIST, Entry
from shared.segmented_array import Piece, SegmentedArray
from shared.segmented_entry import NoPieces


class HeldPieces(NoPieces):
    """The pieces of an entry, as a `shared.segmented_entry.PieceStore`.

    Args:
        entry: that is held; None for a process that holds none.
    """

    def __init__(self, entry: Entry | None = None) -> None:
        self._pieces: dict[bytes, Piece] = {}
        for name, segments in (entry.manifests if entry is not None else {}).items():
            held = entry.array if name == LIST else entry.views[name]  # type: ignore[union-attr]
            assert isinstance(held, SegmentedArray)
            names = [segment.name for segment in segments]
            self._pieces.update(zip(names, held.pieces, strict=True))

    def find(self, name: bytes) -> Piece | None:
        """The piece of the segment with this name; None if it is not held."""
        return self._pieces.get(name)
