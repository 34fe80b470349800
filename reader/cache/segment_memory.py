"""Memory for the pieces of large lists that all processes of a node share.

A piece lies in a file, named by what it holds, that each process maps. Where it can, the file lies
in memory (`/dev/shm`); elsewhere the kernel's page cache serves the same purpose. A file is written
whole before it gets its name, and never changed. A process that uses a piece no longer removes its
file. Others that still use it keep it, as their mappings do; whoever needs it again makes another.

What cannot be shared, for lack of room, files or a folder, each process has for itself.
"""

import fcntl
import logging
import mmap
import os
import struct
import tempfile
import zlib
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import accumulate, pairwise
from pathlib import Path
from typing import IO
from weakref import WeakSet, WeakValueDictionary, finalize

from reader.node_folders import IN_USE
from reader.temporary_files import TemporaryFiles, Use
from shared.clock import Clock
from shared.gzip_joining import Checked
from shared.segmented_array import Piece

log = logging.getLogger("reader")

# Environment variable that gunicorn.conf.py sets for the processes that gunicorn forks.
FOLDER = "API_READ_CACHE_SEGMENTS"
_FORMAT = "1"  # of the files: raise it when they change
PREFIX = "api-read-cache-segments-"  # of the folder's name
MEMORY = Path("/dev/shm")  # noqa: S108 # nosec B108 - our folder in it is ours alone
_TURNS = "turns"
_WORTH_SHARING = 8 * 1024  # bytes; a file takes whole pages of memory
_UNUSED = 3600.0  # seconds after which a file that this process does not use is removed
_PATIENCE = 0.5  # seconds that a process waits for its turn at most
_PAUSE = 0.001  # seconds between two tries
# A file: CRC-32 of the rest; sizes of its parts, and what is checked of the body; the parts: the
# ends of the items, their digests, the body, the blocks.
_CRC, _SIZES = struct.Struct("=I"), struct.Struct("=IIIIII")
_BEGIN = _CRC.size + _SIZES.size


class SegmentMemory:
    """The pieces that a process uses, as a `shared.segmented_entry.PieceStore`.

    Not a cache: a piece is found only as long as this process, or another of its node, uses it.

    Args:
        folder: that the processes of the node share; None if they share nothing.
        clock: the process's own, by which the file system dates files.
        most_files: that may be open for it; there is a limit for a process, which is needed for
            connections as well.
        files: told whether files can be written.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        clock: Clock,
        most_files: int = 1000,
        files: TemporaryFiles | None = None,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._most_files = most_files
        self._files = files or TemporaryFiles(clock)
        self._pieces: WeakValueDictionary[bytes, Piece] = WeakValueDictionary()
        self._shared: WeakSet[Piece] = WeakSet()
        self._is_ending = False
        self._next_sweep = clock.now() + _UNUSED

    def find(self, name: bytes) -> Piece | None:
        """The piece of the segment with this name; None if it is not held."""
        piece = self._pieces.get(name)
        if piece is None and self._folder is not None and self._may_open():
            file = self._file(name)
            with suppress(OSError, ValueError):
                piece = self._hold(name, _mapped(file), file)
        return piece

    def keep(self, name: bytes, piece: Piece) -> Piece:
        """Share a piece with the other processes if that is worth it; returns what to use."""
        self._sweep()
        is_worth_it = piece.held_bytes >= _WORTH_SHARING and self._may_open()
        if self._folder is None or not is_worth_it:
            return self._hold(name, piece, None)
        file = self._file(name)
        try:
            _write(file, piece)
            shared = _mapped(file)
        except (OSError, ValueError) as error:
            log.debug("a segment is not shared: %s", error)
            if isinstance(error, OSError):
                self._files.failed(Use.SEGMENTS, error)
            return self._hold(name, piece, None)
        self._files.worked(Use.SEGMENTS)
        if shared.checked != piece.checked:  # another piece has its name
            return self._hold(name, piece, None)
        return self._hold(name, shared, file)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have the other processes of the node wait, so that one of them makes a piece for all.

        Nobody waits for long: a process may have been stopped in its turn.
        """
        with ExitStack() as stack:
            if self._folder is not None:
                with suppress(OSError):
                    turns = stack.enter_context((self._folder / _TURNS).open("w"))
                    self._wait_for(turns)
            yield

    def _wait_for(self, turns: IO[str]) -> None:
        deadline = self._clock.monotonic() + _PATIENCE
        while self._clock.monotonic() < deadline:
            with suppress(BlockingIOError):
                fcntl.flock(turns, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            self._clock.sleep(_PAUSE)

    def stop(self) -> None:
        """From now on leave all files to the other processes: this one ends."""
        self._is_ending = True

    def _sweep(self) -> None:
        """Once an hour, remove files that processes which have ended left behind.

        One that another process uses may be removed, too: it is then shared no longer.
        """
        if self._folder is None or self._clock.now() < self._next_sweep:
            return
        self._next_sweep = self._clock.now() + _UNUSED
        used = {IN_USE, _TURNS, *(self._file(name).name for name in list(self._pieces))}
        with suppress(OSError):
            for file in self._folder.iterdir():
                is_old = file.stat().st_mtime < self._clock.now() - _UNUSED
                if is_old and file.name not in used:
                    file.unlink(missing_ok=True)

    def _hold(self, name: bytes, piece: Piece, file: Path | None) -> Piece:
        self._pieces[name] = piece
        if file is not None:
            self._shared.add(piece)
            finalize(piece, self._drop, file).atexit = False
        return piece

    def _may_open(self) -> bool:
        return len(self._shared) < self._most_files

    def _drop(self, file: Path) -> None:
        if not self._is_ending:
            _unlink(file)

    def _file(self, name: bytes) -> Path:
        assert self._folder is not None
        return self._folder / f"{name.hex()}.{_FORMAT}"


def _unlink(file: Path) -> None:
    with suppress(OSError):
        file.unlink()


def _write(file: Path, piece: Piece) -> None:
    """Write a piece to a file, unless the file is there; it appears whole.

    Raises:
        OSError: there is no room, or no folder any more.
    """
    parts = (array("I", piece.ends).tobytes(), piece.digests, piece.body, piece.blocks)
    sizes = _SIZES.pack(*map(len, parts), piece.checked.size, piece.checked.crc)
    rest = (sizes, *parts)
    crc = 0
    for part in rest:
        crc = zlib.crc32(part, crc)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as new:
            new.writelines((_CRC.pack(crc), *rest))
        with suppress(FileExistsError):
            os.link(temporary, file)
    finally:
        _unlink(Path(temporary))


def _mapped(file: Path) -> Piece:
    """The piece in a file, without a copy.

    Raises:
        OSError: the file is not there, or cannot be mapped.
        ValueError: it is damaged.
    """
    with file.open("rb") as opened:
        content = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
    if len(content) < _BEGIN or _CRC.pack(zlib.crc32(content[_CRC.size :])) != content[: _CRC.size]:
        raise ValueError("a shared segment is damaged")
    *sizes, size, crc = _SIZES.unpack_from(content, _CRC.size)
    places = accumulate(sizes, initial=_BEGIN)
    ends, digests, body, blocks = (content[at:to] for at, to in pairwise(places))
    return Piece(body, blocks, ends.cast("I"), digests, Checked(crc, size))
