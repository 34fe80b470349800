"""A root file system of Debian's packages, which stands in for images that cannot be pulled here.

`mmdebstrap` makes it, as debootstrap does, in half the time. What it lacks beside the official
image of Python is added: `python`, and a `pip` that may install into the system.
"""

import shutil
from pathlib import Path

from tests.image.commands import run

_PYTHON = ("python3", "python3-pip", "ca-certificates")
# The certificates that programs of this machine trust; a registry may be behind a proxy.
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def make_python_root(folder: Path, suite: str) -> None:
    """Make a root with Python and pip in an empty folder.

    Args:
        folder: its place.
        suite: a release of Debian, such as "bookworm".

    Raises:
        CommandError: the packages cannot be had.
    """
    include = ",".join(_PYTHON)
    run("mmdebstrap", "--variant=minbase", f"--include={include}", suite, folder, within=300)
    (folder / "usr/bin/python").symlink_to("python3")
    for mark in (folder / "usr/lib").glob("python3*/EXTERNALLY-MANAGED"):
        mark.unlink()
    if _CERTIFICATES.exists():
        shutil.copy(_CERTIFICATES, folder / _CERTIFICATES.relative_to("/"))


def suite_of_this_machine() -> str:
    """The release of Debian that this machine runs; that of Debian 12 elsewhere."""
    lines = Path("/etc/os-release").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    is_debian = fields.get("ID") == "debian"
    return fields.get("VERSION_CODENAME", "bookworm").strip('"') if is_debian else "bookworm"
