"""Octokit.js under Node.js: installed when first needed, asked a thing at a time."""

import json
from pathlib import Path
from typing import Any

from tests import npm

FOLDER = Path(__file__).parent / "octokit"


def install() -> None:
    """Have Octokit.js; may raise `tests.npm.NodeMissing`."""
    npm.install(FOLDER)


def ask(*arguments: str) -> dict[str, Any]:
    """What `ask.mjs` prints for these arguments."""
    ended = npm.run(["node", "ask.mjs", *arguments], FOLDER)
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer
