"""Runs pytest so that a busy machine does not fail what is right.

1. All tests but those marked `timing`, several side by side.
2. Those marked `timing`, which promise a time or wait for one: three side by side, nothing else.
3. The few that failed, alone; what fails again, a last time. What fails alone, too, fails the run.

    python -m tests.run_all -n 6 -m "not shipping"

With paths among the arguments there is no second step: pytest runs what they name.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.categories import BY_PLACE

MOST_TRIED_AGAIN: Final = 25  # of thousands; more failures than that are no chance
_TRIES: Final = 2  # of a test that failed beside others
_GOES_ON: Final = {
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    pytest.ExitCode.NO_TESTS_COLLECTED,
}
_TIMED_AT_ONCE: Final = 3


class Failures:
    """A plugin of pytest that notes which tests failed."""

    def __init__(self) -> None:
        self.tests: dict[str, None] = {}  # in order, each once

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure of a test, or of its fixtures."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that cannot be imported."""
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed:
            self.tests[report.nodeid] = None


def commands_of(number: str, marks: str, rest: Sequence[str]) -> list[list[str]]:
    """The arguments of the first runs of pytest.

    Args:
        number: of tests side by side.
        marks: an expression that chooses tests.
        rest: further arguments.
    """
    if any(Path(argument.partition("::")[0]).exists() for argument in rest):
        return [["-n", number, "-m", marks, *rest]]
    timed = sorted({place.partition("::")[0] for place in BY_PLACE["timing"]})
    modules = [path for place in timed for path in sorted(Path().glob(f"{place}*"))]
    return [
        ["-n", number, "-m", f"({marks}) and not timing", *rest],
        ["-n", str(_TIMED_AT_ONCE), "-m", f"({marks}) and timing", *rest, *map(str, modules)],
    ]


def passes_alone(test: str) -> bool:
    """Whether a test passes in one of a few tries, with nothing beside it.

    Args:
        test: its id.
    """
    command = [sys.executable, "-m", "pytest", "--quiet", test]
    return any(subprocess.run(command, check=False).returncode == 0 for _ in range(_TRIES))


def try_again(failed: Sequence[str]) -> int:
    """Run tests once more that failed beside others; return an exit status.

    Args:
        failed: their ids.
    """
    print(f"\n{len(failed)} failed beside other tests; once more, alone:", *failed, sep="\n  ")
    sys.stdout.flush()
    again = [test for test in failed if not passes_alone(test)]
    return int(bool(again))


def main(arguments: Sequence[str]) -> int:
    """Run pytest with these arguments, and what failed once more; return an exit status."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-n", required=True)
    parser.add_argument("-m", required=True)
    known, rest = parser.parse_known_args(arguments)
    failures = Failures()
    statuses = []
    for command in commands_of(known.n, known.m, rest):
        statuses.append(pytest.main(command, plugins=[failures]))
        if statuses[-1] not in _GOES_ON:
            return int(statuses[-1])
    failed = list(failures.tests)
    if 0 < len(failed) <= MOST_TRIED_AGAIN:
        return try_again(failed)
    if pytest.ExitCode.TESTS_FAILED in statuses:
        return int(pytest.ExitCode.TESTS_FAILED)
    return int(statuses[0])  # among what was chosen may be no timed tests


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
