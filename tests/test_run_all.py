"""What fails in `make test` fails it, unless it passes with nothing beside it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run_all import MOST_TRIED_AGAIN, commands_of

ROOT = Path(__file__).resolve().parents[1]
TIMED = "tests/end_to_end/test_flood.py"
PLAIN = "tests/shared/test_etag.py"
PASSES = "def test_a(): pass\n"
FAILS = "def test_a(): assert False\n"
FAILS_ONCE = """
from pathlib import Path

def test_a():
    seen = Path(__file__ + ".seen")
    first, _ = not seen.exists(), seen.touch()
    assert not first
"""


def run_all(
    folder: Path, modules: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run it in a folder with these modules; those at places that are timed have the marker."""
    for name, text in modules.items():
        module = folder / name
        module.parent.mkdir(parents=True)
        module.write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = timing: a time\n")
    (folder / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items:\n"
        f"        if item.nodeid.startswith({TIMED!r}):\n"
        "            item.add_marker('timing')\n"
    )
    return subprocess.run(
        [
            *(sys.executable, "-m", "tests.run_all", "-n", "0", "-m", "not shipping"),
            *("-p", "no:cacheprovider", *arguments),
        ],
        # Without other plugins pytest starts in a part of a second.
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": "xdist.plugin",
        },
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("place", "text", "is_right"),
    [
        (PLAIN, FAILS_ONCE, True),
        (TIMED, FAILS_ONCE, True),
        (PLAIN, FAILS, False),
        (TIMED, FAILS, False),
        (PLAIN, "import nothing_of_the_kind\n", False),
    ],
)
def test_what_fails_alone_too_fails_the_run(
    tmp_path: Path, place: str, text: str, is_right: bool
) -> None:
    other = PLAIN if place == TIMED else TIMED
    ended = run_all(tmp_path, {place: text, other: PASSES})
    assert (ended.returncode == 0) is is_right, ended.stdout + ended.stderr
    assert "rror" in ended.stdout  # the first failure is shown, too
    if text in {FAILS, FAILS_ONCE}:
        assert "once more, alone" in ended.stdout


def test_many_failures_are_not_tried_again(tmp_path: Path) -> None:
    many = (
        "import pytest\n"
        f"@pytest.mark.parametrize('n', range({MOST_TRIED_AGAIN + 1}))\n"
        "def test_a(n): assert False\n"
    )
    ended = run_all(tmp_path, {PLAIN: many, TIMED: PASSES})
    assert ended.returncode == 1
    assert "once more" not in ended.stdout


def test_what_cannot_be_run_is_not_tried_again(tmp_path: Path) -> None:
    assert run_all(tmp_path, {PLAIN: PASSES}, "--no-such-option").returncode == 4
    assert run_all(tmp_path / "empty", {TIMED: ""}, PLAIN).returncode != 0


def test_what_is_timed_runs_after_all_else_unless_paths_are_named(tmp_path: Path) -> None:
    both = {PLAIN: PASSES, TIMED: PASSES}
    first, second = commands_of("7", "not shipping", ["--quiet"])
    assert first == ["-n", "7", "-m", "(not shipping) and not timing", "--quiet"]
    assert second[:5] == ["-n", "3", "-m", "(not shipping) and timing", "--quiet"]
    assert TIMED in second
    assert PLAIN not in second
    assert commands_of("7", "x", [f"{TIMED}::test_a"]) == [
        ["-n", "7", "-m", "x", f"{TIMED}::test_a"]
    ]
    ended = run_all(tmp_path, both)
    assert ended.returncode == 0
    assert ended.stdout.count("1 passed, 1 deselected") == 1
    assert ended.stdout.count("1 passed") == 2
