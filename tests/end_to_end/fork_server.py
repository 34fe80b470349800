"""Starts programs of this project by forking: each begins with everything imported.

Importing what a reader or a refresher needs takes half a second of processor time, and the tests
start several hundred of them. This process imports it once, and forks for each that is wanted. A
forked process differs from one that was started from a shell in its `/proc/PID/environ` and
`cmdline`, which are those of this process; tests that look at these ask for an interpreter of
their own.

It speaks with `Forks` over a socket, a line of JSON for each request and for each response:

- `{"command": [...], "environment": {...}, "folder": "...", "stdout": "...", "stderr": "..."}`
  starts a program: `{"pid": 123}`.
- `{"pid": 123}` asks how it ended: `{"status": -9}` as `subprocess` has it, or `{"status": null}`.

When the other side closes the socket, what still runs is killed.
"""

import gc
import json
import os
import random
import runpy
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

# What the programs import, except what reads the settings while it is imported.
_MODULES = (
    *("reader.app", "reader.front.worker", "gunicorn.app.wsgiapp", "gunicorn.glogging"),
    *("gunicorn.workers.gthread", "a2wsgi", "uvloop", "flask.cli", "rq.cli.cli", "rq.cron"),
    *("refresher.jobs", "refresher.job_allow_list", "refresher.worker", "refresher.scheduler"),
)
_ENTRY_POINTS = {
    "gunicorn": ("gunicorn.app.wsgiapp", "run"),
    "rq": ("rq.cli", "main"),
    "flask": ("flask.cli", "main"),
}

_ended: dict[int, int] = {}
_running: set[int] = set()


def can_start(command: list[str]) -> bool:
    """Whether a command is one of those that are forked: `gunicorn`, `rq`, `flask`, `python -m`."""
    return command[0] in _ENTRY_POINTS or command[:2] == ["python", "-m"]


def main() -> None:
    """Import, then serve the socket whose file descriptor is the only argument."""
    for name in _MODULES:
        with suppress(ImportError):  # uvloop, for one, is optional
            import_module(name)
    for name, function in (
        ("shared.resources.operations", "operations"),
        ("shared.resources.operations.shapes", "public_shapes"),
    ):
        getattr(import_module(name), function)()  # they are kept once they were read
    gc.collect()
    gc.freeze()  # so that collections in the children do not write to, and so copy, all of it
    signal.signal(signal.SIGCHLD, _reap)
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        wanted = _serve(channel)
    if wanted is None:
        for pid in _running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return
    sys.exit(_program(wanted["command"])())


def _serve(channel: socket.socket) -> dict[str, Any] | None:
    """Serve requests until there are no more; in a child, return what it was started for."""
    lines = channel.makefile("rb")
    while line := lines.readline():
        request = json.loads(line)
        if "pid" in request:
            response = {"status": _ended.get(request["pid"])}
        else:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
            pid = os.fork()
            if not pid:
                lines.close()
                _become(request)
                return dict(request)
            _ended.pop(pid, None)  # of another process, which had the same number before
            _running.add(pid)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            response = {"pid": pid}
        channel.sendall(json.dumps(response).encode() + b"\n")
    return None


def _reap(*_: object) -> None:
    """Note how children ended."""
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            _running.discard(pid)
            _ended[pid] = os.waitstatus_to_exitcode(status)


def _become(request: Mapping[str, Any]) -> None:
    """In a child that was just forked: be as if started from a shell."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    _ended.clear()
    _running.clear()
    os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["stdout"], appending),
        (2, request["stderr"], appending),
    ):
        opened = os.open(name, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.orig_argv[:] = [sys.executable, *_arguments(request["command"])]
    random.seed()  # or all of them would draw the same numbers


def _arguments(command: list[str]) -> list[str]:
    """What the interpreter is started with to run a command; readers begin anew with it."""
    program, *rest = command
    if program == "python":
        return rest
    return [str(Path(sys.executable).with_name(program)), *rest]


def _program(command: list[str]) -> Callable[[], Any]:
    """What a command runs, with the arguments in their place."""
    if command[:2] == ["python", "-m"]:
        name, sys.argv[1:] = command[2], command[3:]
        return lambda: runpy.run_module(name, run_name="__main__", alter_sys=True) and None
    sys.argv[:] = command
    module, function = _ENTRY_POINTS[command[0]]
    entry: Callable[[], Any] = getattr(import_module(module), function)
    return entry


if __name__ == "__main__":
    main()
