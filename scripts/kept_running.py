"""Runs a command, and runs it again when it ends: `make run` does so with each of its processes.

    python -m scripts.kept_running COMMAND ARGUMENT...

It ends with its command when it is told to, by SIGTERM or SIGINT; whoever sends them sends them to
the command too (to the process group).
"""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

_FIRST_PAUSE = 1.0  # seconds before the command is started again
_LONGEST_PAUSE = 30.0
_LIVES = 60.0  # seconds of life after which the next pause is the first again


class _ToldToEndError(Exception):
    """SIGTERM or SIGINT."""


def main() -> int:
    """Run until told to end; the exit status is then the command's."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        pause = _FIRST_PAUSE
        while True:
            began = time.monotonic()
            status = _run(sys.argv[1:])
            if time.monotonic() - began > _LIVES:
                pause = _FIRST_PAUSE
            print(f"ended with status {status}; starting it again in {pause:.0f} s", flush=True)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
    except _ToldToEndError:
        return 128 + signal.SIGTERM


def _end(*_: object) -> NoReturn:
    raise _ToldToEndError


def _run(command: Sequence[str]) -> int:
    """The exit status of the command; waits for its end before `_ToldToEndError` goes on."""
    process = subprocess.Popen(command)
    try:
        return process.wait()
    except _ToldToEndError:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        process.wait()
        raise


if __name__ == "__main__":
    sys.exit(main())
