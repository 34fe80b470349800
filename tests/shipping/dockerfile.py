"""The Dockerfile, taken apart."""

import json
import re
import sys

from tests.shipping.environment import ROOT


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, in order, lines joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def last_stage() -> list[tuple[str, str]]:
    """What makes the image itself."""
    every = instructions()
    begin = max(number for number, (name, _) in enumerate(every) if name == "FROM")
    return every[begin:]


def only(name: str) -> str:
    """The one instruction of a name in the last stage."""
    (found,) = (rest for one, rest in last_stage() if one == name)
    return found


def copied() -> dict[str, str]:
    """What of this checkout is in the image, and where below its working directory."""
    sources: dict[str, str] = {}
    for name, rest in last_stage():
        if name == "COPY":
            *names, target = rest.split()
            for source in names:
                sources[source] = target if target != "./" else source
    return sources


def health_check() -> list[str]:
    """The image's own, but with this very Python."""
    command: list[str] = json.loads(only("HEALTHCHECK").partition(" CMD ")[2])
    assert command[0] == "python"
    return [sys.executable, *command[1:]]
