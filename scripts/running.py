"""Which `make run` or `make demo` runs in this checkout, for commands that want to speak to it."""

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
    file = _FOLDER / f"{os.getpid()}.json"
    told = {name: os.environ[name] for name in _TOLD if os.environ.get(name)}
    _FOLDER.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def environment() -> Mapping[str, str] | None:
    """What the one that was started last has in its environment; None where none runs."""
    files = sorted(_FOLDER.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files:
        if _is_alive(int(file.stem)):
            found: Mapping[str, str] = json.loads(file.read_text())
            return found
        file.unlink(missing_ok=True)  # it was killed
    return None


def _is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
