"""Runs the quick tests with each Python that is installed: `python -m scripts.matrix [VERSION...]`.

Each Python has a virtual environment of its own, which later runs use again. What is not installed
is named and passed over; the exit status is 1 if the tests fail with one that is, or if none is.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
ROOT = Path(__file__).resolve().parents[1]
_ENVIRONMENTS = Path(".data/matrix")
# Where pyenv and uv install interpreters, below the home folder.
_INSTALLED = (".pyenv/versions", ".local/share/uv/python")


def main(*versions: str) -> int:
    """Run the tests, and print a line for each version.

    Args:
        versions: which of `VERSIONS`; all if none is given.
    """
    results = {}
    for version in versions or VERSIONS:
        python = interpreter(version)
        if python is None:
            results[version] = "not installed"
            continue
        print(f"Python {version}: {python}", flush=True)
        begun = time.monotonic()
        verdict = "passed" if _passes(version, python) else "FAILED"
        results[version] = f"{verdict} in {time.monotonic() - begun:.0f} s"
    for version, result in results.items():
        print(f"Python {version}: {result}")
    found = [result for result in results.values() if result != "not installed"]
    return int(not found or any(result.startswith("FAILED") for result in found))


def interpreter(version: str) -> Path | None:
    """An interpreter of a version such as "3.12"; None if it is not installed."""
    for found in _candidates(version):
        asked = [str(found), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        answered = subprocess.run(asked, capture_output=True, text=True, check=False)
        # A shim of pyenv is found whether or not that version is chosen.
        if answered.stdout.strip() == version:
            return found
    return None


def _candidates(version: str) -> Iterator[Path]:
    """Programs that may be that interpreter: on the PATH, then the newest of pyenv and of uv."""
    on_path = shutil.which(f"python{version}")
    if on_path is not None:
        yield Path(on_path)
    for folder in _INSTALLED:
        programs = (Path.home() / folder).glob(f"*{version}.*/bin/python{version}")
        yield from sorted(programs, key=_numbers, reverse=True)


def _numbers(program: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", program.parts[-3])]


def _passes(version: str, python: Path) -> bool:
    """Set up an environment and run the tests that `make check` runs, without style and types."""
    environment = _ENVIRONMENTS / version
    command = ["make", "--no-print-directory", f"VENV={environment}", f"PYTHON={python}"]
    # Of the make that runs this program: its variables would count more.
    inherited = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    environment.parent.mkdir(parents=True, exist_ok=True)
    ran = subprocess.run([*command, "quick-tests"], cwd=ROOT, env=inherited, check=False)
    return ran.returncode == 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
