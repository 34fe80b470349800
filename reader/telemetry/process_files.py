"""The counts of all reader processes of one node (a gunicorn), through files in a shared folder.

Each process writes its own counts into a file about once a second. The process that serves
`/metrics` adds the files up. This needs neither Redis, which may be away when metrics are needed
most, nor shared memory, which costs more for each request than the front's whole response.

The counts of a process that has ended must stay in the sums, or these would decrease: each process
that starts adds the files of ended processes to one file.
"""

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from reader.temporary_files import TemporaryFiles, Use
from shared.measures import Counted, Measures, field_of, parse

# Environment variable that gunicorn.conf.py sets for the processes that gunicorn forks.
FOLDER = "API_READ_CACHE_COUNTS"
PREFIX = "api-read-cache-counts-"  # of the folder's name
_ENDED = "ended"


class ProcessFiles:
    """The files of one node.

    Not a store: the folder is deleted when gunicorn ends, or when the next one begins.

    Args:
        folder: of the files; None for a process that has no siblings.
        pid: of this process.
        files: told whether the files can be written.
    """

    def __init__(self, folder: Path | None, *, pid: int, files: TemporaryFiles) -> None:
        self._folder = folder
        self._pid = pid
        self._temporary = files

    def begin(self) -> None:
        """Add up the files of ended processes; call it once in each process."""
        with self._locked(fcntl.LOCK_EX):
            files = self._files()
            gone = [name for name in files if name != _ENDED and not self._is_another_alive(name)]
            if self._folder is None or not gone:
                return
            sums = Counter(files.get(_ENDED, {"counts": {}})["counts"])
            for name in gone:
                sums.update(files[name]["counts"])
            if not self._put(_ENDED, {"counts": sums, "gauges": {}}):
                return  # the next process does it
            for name in gone:
                (self._folder / f"{name}.json").unlink(missing_ok=True)

    def write(self, counts: Mapping[Counted, float], gauges: Mapping[str, float]) -> None:
        """Write the counts and gauges of this process to its file."""
        fields = {field_of(*counted): value for counted, value in counts.items()}
        self._put(str(self._pid), {"counts": fields, "gauges": gauges})

    def sums(
        self, counts: Mapping[Counted, float], gauges: Mapping[str, float]
    ) -> tuple[Measures, Mapping[str, float], int]:
        """The sums of all counts, those of all gauges, and the number of running processes.

        Args:
            counts: of this process, which are newer than its file.
            gauges: of this process.
        """
        with self._locked(fcntl.LOCK_SH):
            files = self._files()
        files.pop(str(self._pid), None)
        fields, levels, processes = Counter[str](), Counter[str](), 1
        fields.update({field_of(*counted): value for counted, value in counts.items()})
        levels.update(gauges)
        for name, known in files.items():
            fields.update(known["counts"])
            if name != _ENDED and self._is_another_alive(name):
                levels.update(known["gauges"])
                processes += 1
        return parse(fields.items()), levels, processes

    @contextmanager
    def _locked(self, operation: int) -> Iterator[None]:
        """Exclude readers while a process adds up, or they would see the same counts twice.

        Without a file for it nobody is excluded: a wrong sum for a moment is better than none.
        """
        with ExitStack() as stack:
            if self._folder is not None and self._folder.exists():
                try:
                    lock = stack.enter_context((self._folder / "lock").open("w"))
                    fcntl.flock(lock, operation)
                except OSError as error:
                    self._temporary.failed(Use.COUNTS, error)
            yield

    def _put(self, name: str, known: Mapping[str, Mapping[str, float]]) -> bool:
        """Write a file; whether that was possible."""
        if self._folder is None:
            return False
        written = self._folder / f"{name}.new"
        # The folder may have been deleted meanwhile: then this process counts for itself.
        try:
            written.write_text(json.dumps(known))
            written.replace(self._folder / f"{name}.json")
        except OSError as error:
            self._temporary.failed(Use.COUNTS, error)
            return False
        self._temporary.worked(Use.COUNTS)
        return True

    def _files(self) -> dict[str, Mapping[str, Mapping[str, float]]]:
        found = {}
        for file in self._folder.glob("*.json") if self._folder else ():
            with suppress(OSError, ValueError):
                found[file.stem] = json.loads(file.read_text())
        return found

    def _is_another_alive(self, pid: str) -> bool:
        """Whether a process with that id runs and is not this one."""
        if int(pid) == self._pid:
            return False
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it runs under another user
        return True
