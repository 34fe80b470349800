"""A body as a list of buffers that lie where they are held: sending it copies nothing of it."""

from collections.abc import Iterator, Sequence

_PIECE = 16 * 1024  # bytes


class Buffers:
    """Bytes in several places, in order.

    A client that takes nothing, or a thousand of them, cost no bytes but those that are held.

    Args:
        parts: the bytes; they stay in memory as long as this does.
    """

    __slots__ = ("parts", "size")

    def __init__(self, parts: Sequence[bytes | memoryview]) -> None:
        self.parts = tuple(parts)
        self.size = sum(map(len, self.parts))

    def __len__(self) -> int:
        return self.size

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)

    def __iter__(self) -> Iterator[bytes]:
        """In small pieces, each of them a copy."""
        for part in self.parts:
            for start in range(0, len(part), _PIECE):
                yield bytes(part[start : start + _PIECE])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Buffers | bytes):
            return NotImplemented
        return len(self) == len(other) and bytes(self) == bytes(other)

    __hash__ = None  # type: ignore[assignment]


Body = bytes | Buffers
