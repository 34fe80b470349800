"""What all reader processes of one gunicorn have counted, together: whichever of them is asked.

Each writes its own counts into a file of a folder that they share, about once a second; whoever is
asked adds the files up. It needs neither Redis, which is away just when one wants to know, nor
shared memory, which costs each observation more than the front's whole answer.

A process that ended has counted nevertheless, or the sums would go down: whoever begins adds the
files of those that are no more to one file.
"""

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.measures import Counted, Measures, field_of, parse

# gunicorn.conf.py sets it, for the processes that gunicorn forks.
FOLDER = "API_READ_CACHE_COUNTS"
_ENDED = "ended"


class ProcessFiles:
    """The files of one node.

    Not a store: it is thrown away when gunicorn ends.

    Args:
        folder: where they are; None for a process that has no siblings.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def of_process(cls) -> "ProcessFiles":
        """Those of the gunicorn that this process belongs to."""
        folder = os.environ.get(FOLDER)
        return cls(Path(folder) if folder else None)

    def begin(self) -> None:
        """Add up the files of those that are no more; call it once in each process."""
        with self._locked(fcntl.LOCK_EX):
            files = self._files()
            gone = [name for name in files if name != _ENDED and not _is_another_alive(name)]
            if self._folder is None or not gone:
                return
            sums = Counter(files.get(_ENDED, {"counts": {}})["counts"])
            for name in gone:
                sums.update(files[name]["counts"])
            self._put(_ENDED, {"counts": sums, "gauges": {}})
            for name in gone:
                (self._folder / f"{name}.json").unlink(missing_ok=True)

    def write(self, counts: Mapping[Counted, float], gauges: Mapping[str, float]) -> None:
        """Write down what this process has counted, and how it is."""
        fields = {field_of(*counted): value for counted, value in counts.items()}
        self._put(str(os.getpid()), {"counts": fields, "gauges": gauges})

    def sums(
        self, counts: Mapping[Counted, float], gauges: Mapping[str, float]
    ) -> tuple[Measures, Mapping[str, float], int]:
        """All counts and all gauges added up, and of how many processes that run.

        Args:
            counts: of this process, which are newer than its file.
            gauges: of this process.
        """
        with self._locked(fcntl.LOCK_SH):
            files = self._files()
        files.pop(str(os.getpid()), None)
        fields, levels, processes = Counter[str](), Counter[str](), 1
        fields.update({field_of(*counted): value for counted, value in counts.items()})
        levels.update(gauges)
        for name, known in files.items():
            fields.update(known["counts"])
            if name != _ENDED and _is_another_alive(name):
                levels.update(known["gauges"])
                processes += 1
        return parse(fields.items()), levels, processes

    @contextmanager
    def _locked(self, operation: int) -> Iterator[None]:
        """Nobody reads while somebody adds up, or would see the same counts twice."""
        if self._folder is None or not self._folder.exists():
            yield
            return
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, operation)
            yield

    def _put(self, name: str, known: Mapping[str, Mapping[str, float]]) -> None:
        if self._folder is None:
            return
        written = self._folder / f"{name}.new"
        # The folder may have been tidied away under us: then this process counts for itself.
        with suppress(OSError):
            written.write_text(json.dumps(known))
            written.replace(self._folder / f"{name}.json")

    def _files(self) -> dict[str, Mapping[str, Mapping[str, float]]]:
        found = {}
        for file in self._folder.glob("*.json") if self._folder else ():
            with suppress(OSError, ValueError):
                found[file.stem] = json.loads(file.read_text())
        return found


def _is_another_alive(pid: str) -> bool:
    """Whether a process of that number runs that is not this one."""
    if int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs, for somebody else
    return True
