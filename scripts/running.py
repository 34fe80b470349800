"""Finds the `make run` or `make demo` that is running in this checkout, for other commands.

Each run has a file that it keeps locked: an unlocked one was left behind by a killed run.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / ".data"
_FOLDER = DATA / "running"
# The settings that a command must share with the running processes; no secrets.
_SHARED = ("REDIS_URL", "ORGS", "TRACK", "CACHE_TTL", "ON_DEMAND_TTL", "REFRESH_AHEAD", "PORT")


@contextmanager
def findable() -> Iterator[None]:
    """Publish this process's environment during the block."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    file = _FOLDER / f"{os.getpid()}.json"
    unseen = file.with_suffix(".new")  # until it is locked
    with unseen.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        # A variable that is unset here must not come from `.env` there: empty counts as unset.
        json.dump({name: os.environ.get(name, "") for name in _SHARED}, opened)
        opened.flush()
        unseen.rename(file)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def environment() -> Mapping[str, str] | None:
    """The environment of the run that was started last; None if none is running."""
    for file in sorted(_FOLDER.glob("*.json"), key=_began, reverse=True):
        with suppress(FileNotFoundError), file.open() as opened:  # it has just ended
            if _is_locked(opened.fileno()):
                found: Mapping[str, str] = json.load(opened)
                return found
            file.unlink()
    return None


def _began(file: Path) -> float:
    with suppress(FileNotFoundError):
        return file.stat().st_mtime
    return 0


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
