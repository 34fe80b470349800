"""Reads the segments of lists, except those whose pieces this node holds already."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from redis import Redis
from redis.exceptions import ResponseError

from shared.redis import keys
from shared.redis.scripts import is_of_wrong_type
from shared.resources.resource import Resource
from shared.segmented_array import Piece
from shared.segmented_entry import Manifests, PieceStore, is_of, read_piece, segments_of
from shared.segments import Segment

# Read in one command: a list of 40 MB is never in memory twice, nor its compressed form.
_SEGMENTS_AT_ONCE = 32


class PieceReader:
    """Finds the pieces of lists, in this node's memory or in Redis.

    Args:
        redis: the client.
        held: where pieces are found that need not be read again, and kept.
        pause: called while a large list is read, so that other threads go on.
    """

    def __init__(self, redis: Redis, held: PieceStore, pause: Callable[[], None]) -> None:
        self._redis = redis
        self._held = held
        self._pause = pause

    def find(self, resource: Resource, manifests: Manifests, pieces: dict[bytes, Piece]) -> bool:
        """Find all pieces of a list, those that are not held in Redis; whether all were there.

        Args:
            resource: the list.
            manifests: of it and its views.
            pieces: what was found before; what is found is added.

        Raises:
            UnreadableError: a segment is damaged.
            redis.RedisError: Redis is unavailable.
        """
        segments = segments_of(manifests)
        lacking = self._not_held(segments, pieces)
        for at in range(0, len(lacking), _SEGMENTS_AT_ONCE):
            with self._held.turn():
                some = {name: segments[name] for name in lacking[at : at + _SEGMENTS_AT_ONCE]}
                names = self._not_held(some, pieces)  # another process may have read them
                for name, value in zip(names, self._values(resource, names), strict=True):
                    if value is None:
                        return False
                    pieces[name] = self._held.keep(name, read_piece(value, *segments[name]))
                    self._pause()
        return True

    def _not_held(
        self, segments: Mapping[bytes, tuple[Segment, bytes]], pieces: dict[bytes, Piece]
    ) -> list[bytes]:
        """The names of the segments whose pieces are not held; the others are added."""
        lacking = []
        for name, (segment, _) in segments.items():
            held = pieces.get(name) or self._held.find(name)
            if held is not None and is_of(held, segment):
                pieces[name] = held
            else:
                lacking.append(name)
        return lacking

    def _values(self, resource: Resource, names: Sequence[bytes]) -> list[bytes | None]:
        """The stored bodies of segments; None for each that is not there."""
        if not names:
            return []
        try:
            found = self._redis.hmget(keys.segments(resource), list(names))
        except ResponseError as error:
            if is_of_wrong_type(error):
                return [None] * len(names)
            raise
        return cast(list[bytes | None], found)
