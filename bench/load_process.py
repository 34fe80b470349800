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
    """Runs a module that makes load and prints its results as JSON when it ends.

    Args:
        module: dotted name.
        options: of the command line.
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
        """Process id."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def terminate(self) -> None:
        """Tell it to stop sending."""
        self._process.terminate()

    def printed(self) -> Any:
        """Wait until it ends; return its results.

        Raises:
            BenchError: it failed.
        """
        output, errors = self._process.communicate()
        if self._process.returncode != 0:
            last = errors.decode().strip().splitlines()[-1:]
            raise BenchError(f"{self._module}: {' '.join(last) or 'it failed'}")
        return json.loads(output)
