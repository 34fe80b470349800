"""The image, built once for all tests of this folder."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from scripts.debian import find
from tests.image.commands import CommandError
from tests.image.debian_root import make_python_root, suite_of_this_machine
from tests.image.images import Image, Store
from tests.shipping.environment import ROOT

_PROGRAMS = ("buildah", "mmdebstrap", "runc")
_MEMORY = Path("/dev/shm")
_NEEDED = 4 << 30  # bytes, of which less than half are used
# What must not reach the image, wherever a checkout has it.
PLANTED = (".env", "shared/__pycache__/planted.cpython-311.pyc", "reader/planted.pyc", ".data/dump")


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    """A store with the image, of this checkout as it is; skip where none can be built."""
    missing = [name for name in _PROGRAMS if find(name) is None]
    if missing:
        pytest.skip(f"NO IMAGE IS BUILT HERE: {', '.join(missing)} not installed")
    if os.geteuid() != 0:
        pytest.skip("NO IMAGE IS BUILT HERE: only root may")
    with (
        TemporaryDirectory(prefix="api-read-cache-image-", dir=_roomy()) as name,
        Store(Path(name)) as made,
    ):
        folder = Path(name)
        try:
            make_python_root(folder / "root", suite_of_this_machine())
        except CommandError as error:
            pytest.skip(f"NO IMAGE IS BUILT HERE: Debian's packages cannot be had: {error}")
        made.add("stand-in-for-python", folder / "root")
        shutil.rmtree(folder / "root")
        made.build("api-read-cache", checkout(folder), BASE="localhost/stand-in-for-python")
        yield made


@pytest.fixture(scope="session")
def image(store: Store) -> Image:
    """The image."""
    return store.image("api-read-cache")


def _roomy() -> Path | None:
    """Where images are written soonest: memory, if there is enough; None for the usual folder."""
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _NEEDED else None


def checkout(folder: Path) -> Path:
    """A copy of what git knows of this checkout, and what a person may have left in it."""
    copy = folder / "checkout"
    for name in tracked_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    for name in PLANTED:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("GITHUB_API_TOKEN=planted")
    return copy


def tracked_files() -> list[str]:
    """The files of this checkout that git knows, by their paths below its root."""
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
