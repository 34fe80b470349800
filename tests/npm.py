"""Packages of JavaScript that tests use: installed from their lock when first needed."""

import fcntl
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

# What the locked packages say that they need.
OLDEST_NODE = 20

_INSTALL = ("ci", "--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts")
# A registry that is not there is known in seconds.
_IMPATIENT = ("--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-timeout=20000")
_NO_NETWORK = re.compile(
    r"\b(EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|ETIMEDOUT)\b"
)


class NodeMissing(Exception):  # noqa: N818 - it is what is the matter
    """What a folder names cannot be had on this machine; the message says why."""


def install(folder: Path) -> Path:
    """Have what a folder's lock names, once, however many processes want it at a time.

    Args:
        folder: with `package.json` and `package-lock.json`.

    Returns:
        The folder `node_modules` in it.

    Raises:
        NodeMissing: there is no Node.js, or no way to a registry.
    """
    npm = shutil.which("npm")
    if npm is None or _node_version() < OLDEST_NODE:
        raise NodeMissing(f"Node.js {OLDEST_NODE} or newer, with npm, is not installed")
    modules = folder / "node_modules"
    installed, lock = modules / ".installed", folder / "package-lock.json"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if installed.exists() and installed.read_text() == wanted:
            return modules
        ended = run([npm, *_INSTALL, *_IMPATIENT], folder)
        if ended.returncode and _NO_NETWORK.search(ended.stderr):
            raise NodeMissing("npm reached no registry to install it from")
        assert ended.returncode == 0, ended.stderr
        installed.write_text(wanted)
    return modules


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of Node.js's in a folder."""
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )


def check_lock(folder: Path) -> None:
    """Assert that a folder's lock is that of its packages, and holds for every registry."""
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert packages.pop("")["dependencies"] == wanted
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version, "pinned exactly"
    assert all("integrity" in package for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


def _node_version() -> int:
    """The first number of it; 0 where there is none."""
    if shutil.which("node") is None:
        return 0
    found = re.match(r"v(\d+)\.", run(["node", "--version"], Path.cwd()).stdout)
    return int(found[1]) if found else 0
