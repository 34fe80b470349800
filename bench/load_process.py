"""A load generator in a process of its own, so that nothing else shares its interpreter."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from bench.cores import on
from bench.errors import BenchError

CHECKOUT = Path(__file__).resolve().parents[1]


class LoadProcess:
    """A module that makes load, and prints what it met as JSON when it ends.

    Args:
        module: its dotted name.
        options: of its command line.
        cores: to run on.
    """

    def __init__(self, module: str, options: Mapping[str, object], *, cores: Iterable[int]) -> None:
        self._module = module
        pairs = [(f"--{name}", str(value)) for name, value in options.items()]
        with on(cores):
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *(part for pair in pairs for part in pair)],
                cwd=CHECKOUT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def terminate(self) -> None:
        """Ask it to send no more."""
        self._process.terminate()

    def printed(self) -> Any:
        """Wait for its end, and give what it printed.

        Raises:
            BenchError: it did not end well.
        """
        output, errors = self._process.communicate()
        if self._process.returncode != 0:
            last = errors.decode().strip().splitlines()[-1:]
            raise BenchError(f"{self._module}: {' '.join(last) or 'it did not end well'}")
        return json.loads(output)
