"""Finds programs of other projects, and installs them from Debian's packages where possible.

It changes nothing else on the system: it starts no service and removes nothing, and never asks a
user without permission to install for a password.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

# Programs unpacked for this project alone, beside its Python.
OWN_PROGRAMS = Path(sys.executable).parent
# Servers are in folders that only root has in its PATH.
_FOLDERS = (str(OWN_PROGRAMS), "/usr/local/sbin", "/usr/sbin")
# Debian asks this program, if it exists, whether it may start an installed service.
POLICY = Path("/usr/sbin/policy-rc.d")
_OUR_POLICY = (
    "#!/bin/sh\n# Made by API Read Cache during an installation; of no use afterwards.\nexit 101\n"
)
# A missing network is noticed within seconds; another apt-get is waited for.
_IMPATIENT = (
    *("-o", "Acquire::Retries=1"),
    *("-o", "Acquire::http::Timeout=20"),
    *("-o", "Acquire::https::Timeout=20"),
    *("-o", "DPkg::Lock::Timeout=300"),
)


def find(program: str) -> Path | None:
    """The path of a program; None if it is not installed."""
    found = shutil.which(program, path=os.pathsep.join([_path(), *_FOLDERS]))
    return None if found is None else Path(found)


def why_not_install() -> str | None:
    """Why apt-get cannot install packages here; None if it can."""
    if find("apt-get") is None:
        return "there is no apt-get"
    return None if os.geteuid() == 0 else "only root may install"


def install(packages: Sequence[str]) -> bool:
    """Install packages with apt-get, without recommended ones; returns whether it succeeded."""
    command = ["install", "--yes", "--no-install-recommends", "--no-remove", *packages]
    with _exclusively(), _no_service_is_started():
        return _apt(command)


def unpack(package: str, program: str, folder: Path = OWN_PROGRAMS) -> bool:
    """Extract one program from a package without installing it; needs no permission.

    Args:
        package: the package's name.
        program: its path in the package.
        folder: receives the program, and temporary files.
    """
    with TemporaryDirectory(dir=folder, prefix=".unpacked-") as name:
        unpacked = Path(name)
        with _exclusively():
            if not _apt(["download", package], folder=unpacked):
                return False
        archives = [str(archive) for archive in unpacked.glob("*.deb")]
        if _run(["dpkg-deb", "--extract", *archives, name]) != 0:
            return False
        found = unpacked / program.lstrip("/")
        if not found.is_file():
            return False
        found.replace(folder / found.name)
    return True


def _apt(command: Sequence[str], folder: Path | None = None) -> bool:
    run = ["apt-get", "--quiet", *_IMPATIENT, *command]
    if _run(run, folder) == 0:
        return True
    # Outdated package lists name packages that no longer exist.
    update = ["apt-get", "--quiet", *_IMPATIENT, "update"]
    return os.geteuid() == 0 and _run(update) == 0 and _run(run, folder) == 0


def _run(command: Sequence[str], folder: Path | None = None) -> int:
    environment = {**os.environ, "PATH": _path(), "DEBIAN_FRONTEND": "noninteractive"}
    ran = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return ran.returncode


def _path() -> str:
    return os.environ.get("PATH", os.defpath)


@contextmanager
def _exclusively() -> Iterator[None]:
    """Run alone on this machine: otherwise the first to end would remove the second's policy."""
    folder = os.open(POLICY.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def _no_service_is_started() -> Iterator[None]:
    """Prevent Debian from starting installed services: they would take a port and a core's time."""
    # If our policy exists already, a killed run left it behind.
    if POLICY.exists() and POLICY.read_text(errors="replace") != _OUR_POLICY:
        yield
        return
    POLICY.write_text(_OUR_POLICY)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
