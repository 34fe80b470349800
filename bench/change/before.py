"""The code of before lists were stored in segments, from git."""

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.load_process import CHECKOUT

REVISION = "5537947"


@contextmanager
def checkout_of(revision: str) -> Iterator[Path | None]:
    """A folder with the files of a revision inside the block; None if they are not available."""
    git = shutil.which("git")
    packed = git and subprocess.run(
        [git, "archive", "--format=tar", revision], cwd=CHECKOUT, capture_output=True, check=False
    )
    if not packed or packed.returncode != 0:
        print(f"Skipping what was before: git has no revision {revision} here", flush=True)
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)
