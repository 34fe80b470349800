"""Running commands to their end."""

import subprocess
from pathlib import Path


class CommandError(Exception):
    """A command has failed; the text has the end of what it printed."""


def run(*command: str | Path, within: float = 60, folder: Path | None = None) -> str:
    """Run a command and return its standard output.

    Args:
        command: the program and its arguments.
        within: seconds after which it is killed.
        folder: the working directory.

    Raises:
        CommandError: its exit status is not 0, or it took too long.
    """
    try:
        ran = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=within, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{command[0]} took longer than {within} s") from error
    if ran.returncode != 0:
        output = (ran.stdout + ran.stderr)[-3000:]
        raise CommandError(f"{' '.join(map(str, command))}: status {ran.returncode}\n{output}")
    return ran.stdout
