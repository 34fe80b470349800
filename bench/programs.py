"""Programs of other projects that a measurement needs: found, or installed where that is easy.

Nothing of the system is touched beyond that: whoever runs one gives it a configuration, a folder
and a port of its own.
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
    """Where the programs are that there are, after an attempt to install the others.

    Args:
        programs: of `PACKAGES`.
        may_install: let apt-get bring what is missing, where it can: on Debian, as root.
    """
    missing = [program for program in programs if find(program) is None]
    if missing and may_install and why_not_install() is None:
        packages = [PACKAGES[program] for program in missing]
        print(f"Installing {', '.join(packages)} with apt-get (once)", flush=True)
        install(packages)
    return {program: path for program in programs if (path := find(program)) is not None}


def version(program: Path) -> str:
    """What a program calls itself, as far as it is a number."""
    flag = "-V" if program.name == "varnishd" else "-v"
    ran = subprocess.run([program, flag], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", ran.stdout + ran.stderr)
    return found[0] if found else "of unknown version"
