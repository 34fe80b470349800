"""JavaScript packages for tests, installed from their lock file when first needed."""

import fcntl
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

# The `engines` of the locked packages.
OLDEST_NODE = 20

_INSTALL = ("ci", "--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts")
# A missing registry is noticed within seconds.
IMPATIENT = ("--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-timeout=20000")
_NO_NETWORK = re.compile(
    r"\b(EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|ETIMEDOUT)\b"
)


class NodeMissing(Exception):  # noqa: N818 - the name says what is wrong
    """The packages of a folder cannot be installed on this machine; the message says why."""


def install(folder: Path) -> Path:
    """Install the packages of a folder's lock file once, also if several processes ask at a time.

    Args:
        folder: contains `package.json` and `package-lock.json`.

    Returns:
        Its folder `node_modules`.

    Raises:
        NodeMissing: Node.js is not installed, or no registry can be reached.
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
        ended = run([npm, *_INSTALL, *IMPATIENT], folder)
        if ended.returncode and _NO_NETWORK.search(ended.stderr):
            raise NodeMissing("npm reached no registry to install it from")
        assert ended.returncode == 0, ended.stderr
        installed.write_text(wanted)
    return modules


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a Node.js program in a folder."""
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )


def check_lock(folder: Path) -> None:
    """Assert that a folder's lock file fits its `package.json`, and names no registry."""
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert packages.pop("")["dependencies"] == wanted
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version, "pinned exactly"
    assert all("integrity" in package for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


def _node_version() -> int:
    """The major version of Node.js; 0 if it is not installed."""
    if shutil.which("node") is None:
        return 0
    found = re.match(r"v(\d+)\.", run(["node", "--version"], Path.cwd()).stdout)
    return int(found[1]) if found else 0
