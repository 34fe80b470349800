"""Octokit.js under Node.js: installed from its lock when first needed, asked a thing at a time."""

import fcntl
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "octokit"
LOCK = FOLDER / "package-lock.json"
# What the locked version says that it needs.
OLDEST_NODE = 20

_INSTALLED = FOLDER / "node_modules" / ".installed"
_INSTALL = ("ci", "--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts")
# A registry that is not there is known in seconds.
_IMPATIENT = ("--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-timeout=20000")
_NO_NETWORK = re.compile(
    r"\b(EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|ETIMEDOUT)\b"
)


class NodeMissing(Exception):  # noqa: N818 - it is what is the matter
    """Octokit.js cannot be had on this machine; the message says why."""


def install() -> None:
    """Have what the lock names beside it, once, however many processes want it at a time.

    Raises:
        NodeMissing: there is no Node.js, or no way to a registry.
    """
    npm = shutil.which("npm")
    if npm is None or _node_version() < OLDEST_NODE:
        raise NodeMissing(f"Node.js {OLDEST_NODE} or newer, with npm, is not installed")
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    with LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _INSTALLED.exists() and _INSTALLED.read_text() == wanted:
            return
        ended = _run([npm, *_INSTALL, *_IMPATIENT])
        if ended.returncode and _NO_NETWORK.search(ended.stderr):
            raise NodeMissing("npm reached no registry to install it from")
        assert ended.returncode == 0, ended.stderr
        _INSTALLED.write_text(wanted)


def ask(*arguments: str) -> dict[str, Any]:
    """What `ask.mjs` prints for these arguments."""
    ended = _run(["node", "ask.mjs", *arguments])
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def _node_version() -> int:
    """The first number of it; 0 where there is none."""
    if shutil.which("node") is None:
        return 0
    found = re.match(r"v(\d+)\.", _run(["node", "--version"]).stdout)
    return int(found[1]) if found else 0


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=FOLDER, capture_output=True, text=True, timeout=100, check=False
    )
