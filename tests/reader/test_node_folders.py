"""The folders of a node: nobody else's, and gone with it."""

import fcntl
import os
import tempfile
from pathlib import Path

import pytest

from reader.node_folders import make_folder, remove_folder

PREFIX = "of-some-kind-"


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "usual"))
    (tmp_path / "usual").mkdir()
    return tmp_path


def test_is_ours_alone(parent: Path) -> None:
    made = make_folder(PREFIX, [parent])
    assert made is not None
    assert made.path.parent == parent
    assert made.path.stat().st_mode & 0o777 == 0o700


def test_is_among_temporary_files_if_it_cannot_be_in_memory(parent: Path) -> None:
    made = make_folder(PREFIX, [parent / "nowhere"])
    assert made is not None
    assert made.path.parent == parent / "usual"


def test_there_may_be_none(parent: Path) -> None:
    (parent / "usual").rmdir()
    assert make_folder(PREFIX, [parent / "nowhere"]) is None


def test_of_a_node_that_was_killed_is_removed(parent: Path) -> None:
    killed, running = make_folder(PREFIX, [parent]), make_folder(PREFIX, [parent])
    assert killed is not None
    assert running is not None
    (killed.path / "1234.json").write_bytes(b"left")
    os.close(killed.lock)
    assert make_folder(PREFIX, [parent]) is not None
    assert not killed.path.exists()
    assert running.path.exists()
    fcntl.flock(running.lock, fcntl.LOCK_UN)


def test_is_removed_with_all_that_is_in_it(parent: Path) -> None:
    made = make_folder(PREFIX, [parent])
    assert made is not None
    (made.path / "x").write_bytes(b"x")
    remove_folder(made.path)
    remove_folder(made.path)
    assert not made.path.exists()
