"""The processes of one gunicorn count together; those that ended have counted nevertheless."""

import json
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from reader.telemetry.process_files import ProcessFiles
from reader.temporary_files import TemporaryFiles
from shared.clock import SYSTEM
from shared.measures import Counted, Labels, Measure, field_of

PATIENCE = 30.0  # seconds before a test that hangs fails
HIT: Counted = (Measure.REQUESTS, ("/", "local", "200"))
LABELS = HIT[1]
FIELD = field_of(*HIT)

# Children are forked by a process that has imported everything once.
FORKED = multiprocessing.get_context("forkserver")


class Process:
    """A real process, which shares a folder with others."""

    def __init__(self, folder: Path) -> None:
        FORKED.set_forkserver_preload([__name__])
        self._pipe, theirs = FORKED.Pipe()
        self._process = FORKED.Process(target=work_on, args=(folder, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.pid = self._process.pid or 0

    def write(self, number: float, connections: float = 1) -> None:
        """Have it write its counts and gauges."""
        self._pipe.send((number, connections))
        self.wait()

    def start_to_begin(self) -> None:
        """Have it add up the files of ended processes, without waiting for it."""
        self._pipe.send(None)

    def begin(self) -> None:
        """Have it add up the files of ended processes."""
        self.start_to_begin()
        self.wait()

    def wait(self) -> None:
        assert self._pipe.poll(PATIENCE)
        self._pipe.recv()

    def kill(self) -> None:
        """End it at once; afterwards there is no process of its number."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def work_on(folder: Path, pipe: Connection) -> None:
    """The work of such a process, until it is killed."""
    counts = ProcessFiles(folder, pid=os.getpid(), files=TemporaryFiles(SYSTEM))
    while True:
        written = pipe.recv()
        if written is None:
            counts.begin()
        else:
            counts.write({HIT: written[0]}, {"connections": written[1]})
        pipe.send("done")


@contextmanager
def processes(folder: Path, number: int) -> Iterator[list[Process]]:
    with ExitStack() as stack:
        made = []
        for _ in range(number):
            made.append(Process(folder))
            stack.callback(made[-1].kill)
        yield made


def known(node: ProcessFiles, **gauges: float) -> tuple[dict[Labels, float], dict[str, float], int]:
    """What is known of the node by one that has counted nothing itself."""
    measures, levels, number = node.sums({}, gauges)
    return dict(measures.of(Measure.REQUESTS)), dict(levels), number


def files(folder: Path) -> dict[str, Any]:
    return {file.stem: json.loads(file.read_text())["counts"] for file in folder.glob("*.json")}


@pytest.fixture
def node(tmp_path: Path) -> ProcessFiles:
    """The tests' own process, on the same folder."""
    return ProcessFiles(tmp_path, pid=os.getpid(), files=TemporaryFiles(SYSTEM))


def test_a_process_without_siblings_counts_for_itself() -> None:
    alone = ProcessFiles(None, pid=os.getpid(), files=TemporaryFiles(SYSTEM))
    alone.begin()
    alone.write({HIT: 3}, {"connections": 1})
    measures, levels, number = alone.sums({HIT: 5}, {"connections": 2})
    assert (measures.of(Measure.REQUESTS), levels, number) == ({LABELS: 5}, {"connections": 2}, 1)


def test_all_processes_are_added_up_whichever_is_asked(tmp_path: Path, node: ProcessFiles) -> None:
    with processes(tmp_path, 2) as (one, other):
        one.write(10, 3)
        other.write(5, 4)
        measures, levels, number = node.sums({HIT: 100}, {"connections": 50})
        assert measures.of(Measure.REQUESTS) == {LABELS: 115}
        assert (levels, number) == ({"connections": 57}, 3)
        one.write(11, 2)
        assert known(node) == ({LABELS: 16}, {"connections": 6}, 3)


def test_of_its_own_it_knows_better_than_its_file(node: ProcessFiles) -> None:
    node.write({HIT: 3}, {"connections": 9})
    measures, levels, number = node.sums({HIT: 4}, {"connections": 1})
    assert (measures.of(Measure.REQUESTS), levels, number) == ({LABELS: 4}, {"connections": 1}, 1)


def test_what_a_killed_process_counted_stays_and_its_gauges_go(
    tmp_path: Path, node: ProcessFiles
) -> None:
    with processes(tmp_path, 2) as (one, other):
        one.write(10, 3)
        other.write(5, 4)
        one.kill()
        assert known(node) == ({LABELS: 15}, {"connections": 4}, 2)
        other.kill()
        assert known(node) == ({LABELS: 15}, {}, 1)


def test_who_begins_adds_up_those_that_are_no_more_once(tmp_path: Path, node: ProcessFiles) -> None:
    with processes(tmp_path, 3) as (one, other, alive):
        for process, number in ((one, 10), (other, 5), (alive, 1)):
            process.write(number)
        one.kill()
        other.kill()
        with processes(tmp_path, 1) as (new,):
            for _ in range(3):
                new.begin()
                assert known(node)[0] == {LABELS: 16}
            assert files(tmp_path) == {
                "ended": {"requests|/|local|200": 15},
                str(alive.pid): {"requests|/|local|200": 1},
            }
            new.write(2)
            new.kill()
            alive.kill()
        node.begin()
        assert known(node) == ({LABELS: 18}, {}, 1)
        assert list(files(tmp_path)) == ["ended"]


def test_several_that_begin_at_once_add_up_each_count_once(
    tmp_path: Path, node: ProcessFiles
) -> None:
    with processes(tmp_path, 4) as beginners:
        for turn in range(1, 6):
            with processes(tmp_path, 2) as dying:
                for process in dying:
                    process.write(1)
            for process in beginners:
                process.start_to_begin()
            for process in beginners:
                process.wait()
            assert known(node)[0] == {LABELS: 2 * turn}
            assert list(files(tmp_path)) == ["ended"]


def test_who_looks_while_another_adds_up_sees_each_count_once(
    tmp_path: Path, node: ProcessFiles
) -> None:
    with processes(tmp_path, 1) as (beginner,):
        for turn in range(1, 16):
            for _ in range(20):  # files of processes that are no more
                pid = _unused_pid()
                fields = {"counts": {"requests|/|local|200": 1}, "gauges": {}}
                (tmp_path / f"{pid}.json").write_text(json.dumps(fields))
            total = sum(fields["requests|/|local|200"] for fields in files(tmp_path).values())
            beginner.start_to_begin()
            for _ in range(20):
                assert known(node)[0] == {LABELS: total}, turn
            beginner.wait()


def test_a_process_that_was_given_the_number_of_one_that_ended_counts_beside_it(
    tmp_path: Path, node: ProcessFiles
) -> None:
    fields = {"counts": {"requests|/|local|200": 40}, "gauges": {"connections": 7}}
    (tmp_path / f"{os.getpid()}.json").write_text(json.dumps(fields))
    node.begin()
    node.write({HIT: 2}, {})
    measures, levels, number = node.sums({HIT: 2}, {})
    assert (measures.of(Measure.REQUESTS), levels, number) == ({LABELS: 42}, {}, 1)


def test_a_folder_that_was_tidied_away_ends_nothing(tmp_path: Path) -> None:
    node = ProcessFiles(tmp_path / "gone", pid=os.getpid(), files=TemporaryFiles(SYSTEM))
    node.begin()
    node.write({HIT: 2}, {})
    measures, _, number = node.sums({HIT: 2}, {})
    assert (measures.of(Measure.REQUESTS), number) == ({LABELS: 2}, 1)


def test_a_file_that_cannot_be_read_is_left_out(tmp_path: Path, node: ProcessFiles) -> None:
    (tmp_path / f"{_unused_pid()}.json").write_text("{")
    node.begin()
    assert known(node) == ({}, {}, 1)


def _unused_pid() -> int:
    """A number that no process has."""
    for pid in range(4_000_000, 4_190_000, 7):
        if pid not in _given:
            _given.add(pid)
            return pid
    raise AssertionError


_given: set[int] = set()


def test_files_that_cannot_be_written_lose_no_counts_and_are_told_of(tmp_path: Path) -> None:
    """The counts of an ended process stay, although they cannot be added up; nothing is raised."""
    files = TemporaryFiles(SYSTEM)
    (tmp_path / "99999999.json").write_text(json.dumps({"counts": {FIELD: 40}, "gauges": {}}))
    node = ProcessFiles(tmp_path, pid=os.getpid(), files=files)
    hindrances = [tmp_path / name for name in ("lock", "ended.new", f"{os.getpid()}.new")]
    for one in hindrances:
        one.mkdir()
    node.begin()
    node.write({HIT: 2}, {})
    assert files.failing == {"counts": "Is a directory"}
    measures, _, _ = node.sums({HIT: 2}, {})
    assert measures.of(Measure.REQUESTS) == {LABELS: 42}
    for one in hindrances:
        one.rmdir()
    node.write({HIT: 2}, {})
    assert files.failing == {}
