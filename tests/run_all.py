"""Runs pytest; the few tests of processes that fail are run once more, alone.

Some tests promise a time, or wait for one, and seven run side by side on two processors. Which of
them comes too late on a busy machine is chance. So those that fail are shown, and run again with
nothing beside them: what fails then fails the run, and so does any test that starts no processes.

    python -m tests.run_all -n 6 -m "not shipping"
"""

import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import pytest

from tests.categories import is_timing, starts_processes

MOST_TRIED_AGAIN: Final = 5  # more failures than that are no chance


class Failures:
    """A plugin of pytest that notes which tests failed."""

    def __init__(self) -> None:
        self.tests: dict[str, None] = {}  # in order, each once

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure of a test, or of its fixtures."""
        if report.failed:
            self.tests[report.nodeid] = None


def may_be_tried_again(failed: Sequence[str]) -> bool:
    """Whether all tests that failed may have failed because of others on the same processors.

    Args:
        failed: the ids of the tests.
    """
    return 0 < len(failed) <= MOST_TRIED_AGAIN and all(
        starts_processes(test) or is_timing(test) for test in failed
    )


def main(arguments: Sequence[str]) -> int:
    """Run pytest with these arguments, and what failed once more; return its exit status."""
    failures = Failures()
    status = int(pytest.main(list(arguments), plugins=[failures]))
    failed = list(failures.tests)
    if status != pytest.ExitCode.TESTS_FAILED or not may_be_tried_again(failed):
        return status
    print(f"\n{len(failed)} failed beside other tests; once more, alone:", *failed, sep="\n  ")
    sys.stdout.flush()
    again = [sys.executable, "-m", "pytest", "--quiet", *failed]
    return subprocess.run(again, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
