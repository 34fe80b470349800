"""What fails in `make test` fails it, unless a test of processes passes alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run_all import MOST_TRIED_AGAIN, may_be_tried_again

ROOT = Path(__file__).resolve().parents[1]
OF_PROCESSES = "tests/end_to_end/test_reload.py::test_a"
PLAIN = "tests/shared/test_etag.py::test_a"
FAILS_ONCE = """
from pathlib import Path

def test_a():
    seen = Path("seen")
    first, _ = not seen.exists(), seen.touch()
    assert not first
"""


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        ([], False),
        ([OF_PROCESSES], True),
        (["tests/refresher/lock/test_refresh_lock.py::test_a"], True),
        ([PLAIN], False),
        ([OF_PROCESSES, PLAIN], False),
        ([f"{OF_PROCESSES}{n}" for n in range(MOST_TRIED_AGAIN)], True),
        ([f"{OF_PROCESSES}{n}" for n in range(MOST_TRIED_AGAIN + 1)], False),
    ],
)
def test_only_a_few_tests_of_processes_are_tried_again(failed: list[str], expected: bool) -> None:
    assert may_be_tried_again(failed) is expected


@pytest.mark.parametrize(
    ("test", "text", "status"),
    [
        (OF_PROCESSES, FAILS_ONCE, 0),
        (OF_PROCESSES, "def test_a(): assert False", 1),
        (PLAIN, FAILS_ONCE, 1),
    ],
    ids=["chance", "broken", "a test that starts no processes"],
)
def test_what_fails_again_or_starts_no_processes_fails_the_run(
    tmp_path: Path, test: str, text: str, status: int
) -> None:
    module = tmp_path / test.partition("::")[0]
    module.parent.mkdir(parents=True)
    module.write_text(text)
    (tmp_path / "pytest.ini").touch()
    ended = subprocess.run(
        [sys.executable, "-m", "tests.run_all", "-p", "no:cacheprovider", "tests"],
        # Without plugins pytest starts in a part of a second.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == status, ended.stdout
    assert "assert" in ended.stdout  # the first failure is shown, too
    assert ("once more, alone" in ended.stdout) is (test == OF_PROCESSES)
