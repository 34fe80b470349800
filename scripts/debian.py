"""Programs of other projects, from Debian's packages: found, or brought where that is easy.

Nothing of the system is touched beyond that: no service is started, nothing is removed, and who
may not install is not asked for a password.
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

# What is unpacked for this project alone, beside its Python.
OWN_PROGRAMS = Path(sys.executable).parent
# Servers are in folders that only root has on its PATH.
_FOLDERS = (str(OWN_PROGRAMS), "/usr/local/sbin", "/usr/sbin")
# Whether Debian may start what it installs is asked of this program, where there is one.
POLICY = Path("/usr/sbin/policy-rc.d")
_OUR_POLICY = (
    "#!/bin/sh\n# Made by API Read Cache while it installs; of no use afterwards.\nexit 101\n"
)
# Without a network that is known in seconds; another apt-get is waited for.
_IMPATIENT = (
    *("-o", "Acquire::Retries=1"),
    *("-o", "Acquire::http::Timeout=20"),
    *("-o", "Acquire::https::Timeout=20"),
    *("-o", "DPkg::Lock::Timeout=300"),
)


def find(program: str) -> Path | None:
    """Where a program is; None where there is none."""
    found = shutil.which(program, path=os.pathsep.join([_path(), *_FOLDERS]))
    return None if found is None else Path(found)


def why_not_install() -> str | None:
    """Why apt-get cannot install anything here; None where it may."""
    if find("apt-get") is None:
        return "there is no apt-get"
    return None if os.geteuid() == 0 else "only root may install"


def install(packages: Sequence[str]) -> bool:
    """Have apt-get install packages, without what they recommend; gives whether it did."""
    command = ["install", "--yes", "--no-install-recommends", "--no-remove", *packages]
    with _alone(), _no_service_is_started():
        return _apt(command)


def unpack(package: str, program: str, folder: Path = OWN_PROGRAMS) -> bool:
    """Take one program out of a package that is not installed; anybody may.

    Args:
        package: its name.
        program: its path in the package.
        folder: where it is put, and what is unpacked on the way.
    """
    with TemporaryDirectory(dir=folder, prefix=".unpacked-") as name:
        unpacked = Path(name)
        with _alone():
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
    # Old package lists name packages that are no longer there.
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
def _alone() -> Iterator[None]:
    """One at a time of the machine: else the first to end takes away the policy of the second."""
    folder = os.open(POLICY.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def _no_service_is_started() -> Iterator[None]:
    """Keep Debian from starting what it installs: that would take a port, and time on a core."""
    # One of ours that is there was left behind by a run that was killed.
    if POLICY.exists() and POLICY.read_text(errors="replace") != _OUR_POLICY:
        yield
        return
    POLICY.write_text(_OUR_POLICY)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
