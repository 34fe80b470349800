"""Pieces of large lists: found as long as somebody uses them, and shared where that is possible."""

import gc
import os
import time
from pathlib import Path

import pytest

from reader.cache.segment_memory import SegmentMemory
from shared.clock import Clock
from shared.gzip_joining import Checked, deflated
from shared.segmented_array import Piece

NAME, OTHER = b"a" * 16, b"b" * 16
HOUR = 3600.0


def make_piece(items: int = 50, letter: bytes = b"x") -> Piece:
    """A piece of items of 2 kB."""
    texts = [b'"%d %b"' % (number, letter * 2000) for number in range(items)]
    plain = b",".join(texts)
    ends, end = [], -1
    for text in texts:
        end += 1 + len(text)
        ends.append(end)
    return Piece.of(plain, deflated(plain), ends, Checked.of(plain), b",")


def content_of(piece: Piece | None) -> tuple[bytes, bytes, list[int], bytes, Checked] | None:
    if piece is None:
        return None
    body, blocks, digests = bytes(piece.body), bytes(piece.blocks), bytes(piece.digests)
    return body, blocks, list(piece.ends), digests, piece.checked


def files_of(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.name not in {"lock", "turns"})


class OwnClock:
    """Time that a test moves; it begins with the real one, which files have."""

    def __init__(self) -> None:
        self.now = time.time()
        self.slept = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, lambda: self.slept, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


@pytest.fixture
def clock() -> OwnClock:
    return OwnClock()


@pytest.fixture
def memory(tmp_path: Path, clock: OwnClock) -> SegmentMemory:
    return SegmentMemory(tmp_path, clock=clock.clock)


@pytest.fixture
def sibling(tmp_path: Path, clock: OwnClock) -> SegmentMemory:
    """That of another process of the node."""
    return SegmentMemory(tmp_path, clock=clock.clock)


class TestAPiece:
    """Is the same for all processes of a node, and in memory once."""

    def test_is_found_by_another_process(
        self, memory: SegmentMemory, sibling: SegmentMemory
    ) -> None:
        assert sibling.find(NAME) is None
        kept = memory.keep(NAME, made := make_piece())
        found = sibling.find(NAME)
        assert content_of(kept) == content_of(found) == content_of(made)
        assert sibling.find(NAME) is found
        assert sibling.find(OTHER) is None

    def test_is_in_memory_once(
        self, memory: SegmentMemory, sibling: SegmentMemory, tmp_path: Path
    ) -> None:
        """Also if both make it at the same time."""
        made = make_piece()
        pieces = [one.keep(NAME, make_piece()) for one in (memory, sibling)]
        assert len(files_of(tmp_path)) == 1
        file = next(tmp_path.glob("*.*")).stat()
        maps = Path("/proc/self/maps").read_text().splitlines()
        assert sum(str(file.st_ino) in line.split() for line in maps) == 2
        assert {bytes(piece.body) for piece in pieces} == {bytes(made.body)}

    def test_goes_when_the_process_uses_it_no_more(
        self, memory: SegmentMemory, tmp_path: Path
    ) -> None:
        kept = memory.keep(NAME, make_piece())
        body, expected = kept.body, bytes(kept.body)
        del kept
        gc.collect()
        assert files_of(tmp_path) == []
        assert memory.find(NAME) is None
        assert body == expected, "a response that is being sent still has it"

    def test_stays_when_the_process_ends(
        self, memory: SegmentMemory, sibling: SegmentMemory
    ) -> None:
        kept = memory.keep(NAME, make_piece())
        memory.stop()
        del kept
        gc.collect()
        assert sibling.find(NAME) is not None

    def test_that_is_small_is_the_processes_own(
        self, memory: SegmentMemory, sibling: SegmentMemory, tmp_path: Path
    ) -> None:
        kept = memory.keep(NAME, make_piece(3))
        assert memory.find(NAME) is kept
        assert sibling.find(NAME) is None
        assert files_of(tmp_path) == []


class TestATurn:
    """Only one process makes pieces; nobody waits for one that hangs."""

    def test_is_waited_for(
        self, memory: SegmentMemory, sibling: SegmentMemory, clock: OwnClock
    ) -> None:
        with memory.turn():
            assert not clock.slept
            with sibling.turn():
                assert 0.5 <= clock.slept < 0.6
        clock.slept = 0
        with sibling.turn():
            assert not clock.slept

    def test_is_free_again_after_an_error(
        self, memory: SegmentMemory, sibling: SegmentMemory, clock: OwnClock
    ) -> None:
        with pytest.raises(ZeroDivisionError), memory.turn():
            raise ZeroDivisionError
        with sibling.turn():
            assert not clock.slept

    @pytest.mark.parametrize("folder", [None, Path("/nowhere/at/all")])
    def test_is_not_needed_without_a_folder(self, folder: Path | None) -> None:
        clock = OwnClock()
        with SegmentMemory(folder, clock=clock.clock).turn():
            assert not clock.slept


class TestWithoutASharedFolder:
    """Each process has its own pieces, and everything works."""

    @pytest.mark.parametrize("folder", [None, Path("/nowhere/at/all")])
    def test_pieces_are_held_as_long_as_they_are_used(self, folder: Path | None) -> None:
        memory = SegmentMemory(folder, clock=OwnClock().clock)
        kept = memory.keep(NAME, make_piece())
        assert memory.find(NAME) is kept
        del kept
        gc.collect()
        assert memory.find(NAME) is None

    def test_no_more_files_are_open_than_may_be(
        self, sibling: SegmentMemory, clock: OwnClock, tmp_path: Path
    ) -> None:
        memory = SegmentMemory(tmp_path, clock=clock.clock, most_files=2)
        names = [bytes([number]) * 16 for number in range(4)]
        others = [sibling.keep(name, make_piece()) for name in names[:3]]
        found = [memory.find(name) for name in names]
        assert [piece is not None for piece in found] == [True, True, False, False]
        kept = memory.keep(names[3], make_piece())
        assert memory.find(names[3]) is kept
        assert len(files_of(tmp_path)) == len(others) == 3
        found.clear()
        gc.collect()
        assert memory.find(names[2]) is not None

    def test_no_room_is_no_error(
        self, memory: SegmentMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "link", refuse)
        kept = memory.keep(NAME, made := make_piece())
        assert kept is made
        assert files_of(tmp_path) == []


@pytest.mark.parametrize("place", [0, 3, 10, 20, 30, 500, 5000, -1])
def test_a_damaged_file_is_not_believed(
    memory: SegmentMemory, sibling: SegmentMemory, tmp_path: Path, place: int
) -> None:
    kept = memory.keep(NAME, made := make_piece())
    [file] = [tmp_path / name for name in files_of(tmp_path)]
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    del kept
    gc.collect()
    file.write_bytes(content)
    assert sibling.find(NAME) is None
    assert sibling.keep(NAME, made) is made
    file.write_bytes(content[:20])
    assert sibling.find(NAME) is not None, "its own"


def test_what_killed_processes_left_is_removed_once_an_hour(
    memory: SegmentMemory, clock: OwnClock, tmp_path: Path
) -> None:
    held = memory.keep(NAME, make_piece())
    left = tmp_path / f"{OTHER.hex()}.1"
    left.write_bytes(b"left")
    young = tmp_path / "tmpyoung"
    for name, age in ((left, 2 * HOUR), (tmp_path / files_of(tmp_path)[0], 2 * HOUR)):
        os.utime(name, (clock.now - age,) * 2)
    memory.keep(b"c" * 16, make_piece(letter=b"y"))
    assert left.exists()
    young.write_bytes(b"being written")
    clock.now += HOUR
    os.utime(young, (clock.now,) * 2)
    memory.keep(b"d" * 16, make_piece(letter=b"z"))
    assert not left.exists()
    assert young.exists()
    assert memory.find(NAME) is held
