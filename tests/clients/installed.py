"""Whether a client in another language than Python can be run here; what is missing is installed.

Debian's packages come with `scripts.test_tools`, Octokit.js comes from npm.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from scripts.debian import find
from tests import npm

OCTOKIT_JS: Final = Path(__file__).parent / "octokit"
GO: Final = Path(__file__).parent / "go_github"
GO_PROGRAM: Final = GO / "build" / "scenario"
_GO_PATH: Final = Path("/usr/share/gocode")  # of Debian's packages


def require(client: str) -> None:
    """Skip the test, and say why, if a client cannot be run."""
    reason = _REASONS[client]()
    if reason is not None:
        pytest.skip(f"{client.upper()} IS NOT TESTED HERE: {reason}")


@cache
def _no_octokit_js() -> str | None:
    try:
        npm.install(OCTOKIT_JS)
    except npm.NodeMissing as reason:
        return str(reason)
    return None


@cache
def _no_octokit_rb() -> str | None:
    if shutil.which("ruby") is None:
        return "ruby is not installed"
    asked = subprocess.run(["ruby", "-e", "require 'octokit'"], capture_output=True, check=False)
    return None if asked.returncode == 0 else "the gem octokit is not installed"


@cache
def _no_go_github() -> str | None:
    if shutil.which("go") is None:
        return "go is not installed"
    if not (_GO_PATH / "src/github.com/google/go-github/github").exists():
        return "Debian's golang-github-google-go-github-dev is not installed"
    built = subprocess.run(
        ["go", "build", "-o", GO_PROGRAM, "."],
        cwd=GO,
        env={**os.environ, "GO111MODULE": "off", "GOPATH": str(_GO_PATH), "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return None


@cache
def _no_gh() -> str | None:
    absent = [program for program in ("gh", "haproxy") if find(program) is None]
    return f"{' and '.join(absent)} not installed" if absent else None


_REASONS: dict[str, Callable[[], str | None]] = {
    "Octokit.js": _no_octokit_js,
    "Octokit.rb": _no_octokit_rb,
    "go-github": _no_go_github,
    "gh": _no_gh,
}
