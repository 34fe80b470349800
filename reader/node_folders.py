"""Folders that the processes of a node share, as long as any of them runs.

Whoever makes one removes those of nodes that were killed.
"""

import fcntl
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

IN_USE: Final = "in-use"  # the file in a folder that shows that it is


class Folder(NamedTuple):
    """A node's folder.

    Args:
        path: of it.
        lock: a file descriptor; the folder is in use as long as any process has it open.
    """

    path: Path
    lock: int


def make_folder(prefix: str, candidates: Sequence[Path] = ()) -> Folder | None:
    """Make a folder, and remove those of nodes that have ended.

    Args:
        prefix: of its name; no other program's folders may have it.
        candidates: folders to make it in, the best first; the last is the usual one for temporary
            files, which is added.

    Returns:
        The folder; None if it cannot be made.
    """
    for candidate in (*candidates, None):
        with suppress(OSError):
            parent = candidate or Path(tempfile.gettempdir())
            _remove_unused(parent, prefix)
            path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            lock = os.open(path / IN_USE, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(lock, fcntl.LOCK_SH)
            if os.fstat(lock).st_nlink:  # else another node has just taken it for an unused one
                return Folder(path, lock)
    return None


def remove_folder(folder: Path) -> None:
    """Remove a folder and the files in it; processes keep what they have mapped."""
    with suppress(OSError):
        for file in folder.iterdir():
            file.unlink(missing_ok=True)
        folder.rmdir()


def _remove_unused(parent: Path, prefix: str) -> None:
    """Remove folders whose lock nobody holds: their processes were killed."""
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            lock = os.open(folder / IN_USE, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_folder(folder)
            finally:
                os.close(lock)
