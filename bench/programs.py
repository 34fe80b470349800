"""Programs of other projects that a measurement needs: found, or installed on Debian.

Nothing else of the system changes: each program runs with its own configuration, folder and port.
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scripts.debian import find, install, why_not_install

__all__ = ["PACKAGES", "find", "find_or_install", "version"]

# Debian's package of each program.
PACKAGES = {"nginx": "nginx", "varnishd": "varnish", "wrk": "wrk"}


def find_or_install(programs: Sequence[str], *, may_install: bool = True) -> dict[str, Path]:
    """Paths of the programs that are installed, after an attempt to install the others.

    Args:
        programs: names in `PACKAGES`.
        may_install: whether apt-get may install what is missing (on Debian, as root).
    """
    missing = [program for program in programs if find(program) is None]
    if missing and may_install and why_not_install() is None:
        packages = [PACKAGES[program] for program in missing]
        print(f"Installing {', '.join(packages)} with apt-get (once)", flush=True)
        install(packages)
    return {program: path for program in programs if (path := find(program)) is not None}


def version(program: Path) -> str:
    """A program's version number."""
    flag = "-V" if program.name == "varnishd" else "-v"
    ran = subprocess.run([program, flag], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", ran.stdout + ran.stderr)
    return found[0] if found else "of unknown version"
