"""Programs of other projects that a measurement needs: found, or installed where that is easy.

Nothing of the system is touched beyond that: whoever runs one gives it a configuration, a folder
and a port of its own.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Servers are in folders that only root has on its PATH.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
# Debian's package of each program.
PACKAGES = {"nginx": "nginx", "varnishd": "varnish", "wrk": "wrk"}
_POLICY = Path("/usr/sbin/policy-rc.d")


def find(program: str) -> Path | None:
    """Where a program is; None where there is none."""
    found = shutil.which(program, path=_PATH)
    return None if found is None else Path(found)


def find_or_install(programs: Sequence[str], *, may_install: bool = True) -> dict[str, Path]:
    """Where the programs are that there are, after an attempt to install the others.

    Args:
        programs: of `PACKAGES`.
        may_install: let apt-get bring what is missing, where it can: on Debian, as root.
    """
    missing = [program for program in programs if find(program) is None]
    if missing and may_install and os.geteuid() == 0 and find("apt-get") is not None:
        _install([PACKAGES[program] for program in missing])
    return {program: path for program in programs if (path := find(program)) is not None}


def version(program: Path) -> str:
    """What a program calls itself, as far as it is a number."""
    flag = "-V" if program.name == "varnishd" else "-v"
    ran = subprocess.run([program, flag], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", ran.stdout + ran.stderr)
    return found[0] if found else "of unknown version"


def _install(packages: Sequence[str]) -> None:
    print(f"Installing {', '.join(packages)} with apt-get (once)", flush=True)
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    with _no_service_is_started():
        # Old package lists name packages that are no longer there.
        if _run(install) != 0 and _run(["apt-get", "update", "--quiet"]) == 0:
            _run(install)


def _run(command: Sequence[str]) -> int:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    ran = subprocess.run(command, env=environment, capture_output=True, check=False)
    return ran.returncode


@contextmanager
def _no_service_is_started() -> Iterator[None]:
    """Keep Debian from starting what it installs: that would take a port, and time on a core."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
