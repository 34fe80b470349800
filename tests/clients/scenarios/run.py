"""Runs a client's scenario, and compares what two servers gave it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[3]
MOUNT = "/api/v3"
# Seconds that any step may take. A client that takes a response for a limit sleeps for longer.
MOST_SECONDS = 12.0
# What only a cache refuses: the status that clients see, by step.
REFUSALS = {
    "refused_caller": 401,
    "refused_path": 403,
    "refused_write": 405,
    "refused_graphql": 405,
}


@dataclass(frozen=True)
class Line:
    """What a step gave; see `steps`."""

    name: str
    ok: bool
    detail: Any
    urls: list[str]
    seconds: float = field(compare=False)


def run(command: list[str | Path], environment: Mapping[str, str] | None = None) -> dict[str, Line]:
    """The lines of a scenario by the names of their steps.

    Args:
        command: of the scenario, with its arguments.
        environment: further variables.
    """
    ended = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "HOME": str(Path.home()), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    lines = [Line(**json.loads(line)) for line in ended.stdout.splitlines()]
    return {line.name: line for line in lines}


def python(module: str, *arguments: str) -> list[str | Path]:
    """The command of a scenario in Python."""
    return [sys.executable, "-m", f"tests.clients.scenarios.{module}", *arguments]


def failures(lines: Mapping[str, Line]) -> dict[str, Any]:
    """The steps that did not succeed, with their errors."""
    return {line.name: line.detail for line in lines.values() if not line.ok}


def compared(lines: Mapping[str, Line]) -> dict[str, Any]:
    """What GitHub and a cache give alike: all details except those of refusals."""
    return {
        line.name: line.detail
        for line in lines.values()
        if line.name not in REFUSALS and line.detail is not None
    }


def below(base: str, lines: Mapping[str, Line]) -> dict[str, list[str]]:
    """The addresses that each step found, without the base; AssertionError if one is elsewhere."""
    found = {line.name: line.urls for line in lines.values() if line.name not in REFUSALS}
    outside = {url for urls in found.values() for url in urls if not url.startswith(f"{base}/")}
    assert not outside
    return {name: [url.removeprefix(base) for url in urls] for name, urls in found.items()}


def slow(lines: Mapping[str, Line], *, most: float = MOST_SECONDS) -> dict[str, float]:
    """The steps that took longer than any should."""
    return {line.name: line.seconds for line in lines.values() if line.seconds > most}
