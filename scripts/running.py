"""Which `make run` or `make demo` runs in this checkout, for commands that want to speak to it.

Each has a file, which it keeps locked: one that is not locked was left by somebody who was killed.
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
# What a command must have as the running processes have it; nothing secret.
_TOLD = ("REDIS_URL", "ORGS", "CACHE_TTL", "ON_DEMAND_TTL", "REFRESH_AHEAD", "PORT")


@contextmanager
def known_to_others() -> Iterator[None]:
    """Be found inside the block, by the environment of this process."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    file = _FOLDER / f"{os.getpid()}.json"
    unseen = file.with_suffix(".new")  # until it is locked
    with unseen.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        # What is not set here must not come from `.env` there: empty is as good as not set.
        json.dump({name: os.environ.get(name, "") for name in _TOLD}, opened)
        opened.flush()
        unseen.rename(file)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def environment() -> Mapping[str, str] | None:
    """What the one that was started last has in its environment; None where none runs."""
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
