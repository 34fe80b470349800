"""Tests in a browser leave the process as they found it, whatever runs before, between and after.

A pytest of its own shows it, with this folder's fixtures and the project's settings. (Tests of one
module are not always run in a row: pytest-xdist gives a worker some of them now, others later.)
"""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.debian import find

ROOT = Path(__file__).resolve().parents[2]

IN_A_BROWSER = """
def test_one(page):
    page.goto("data:text/html,<title>one</title>")
    assert page.title() == "one"

def test_two(browser):
    assert browser.is_connected()
"""
WITH_A_LOOP = """
import asyncio
import threading

async def answer():
    await asyncio.sleep(0)
    process = await asyncio.create_subprocess_exec("true")
    return await process.wait()

def test_one():
    assert asyncio.run(answer()) == 0

def test_two():
    for thread in threading.enumerate():
        if thread.name.startswith("asyncio-waitpid"):  # of a child that has ended: about to end too
            thread.join(10)
    assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
    with asyncio.Runner() as runner:
        assert runner.run(answer()) == 0
"""
# A loop before the first browser, one after a browser and before the next, and one at the end.
ORDER = [
    *("last::test_two", "browser::test_one", "loop::test_one", "other::test_two"),
    *("browser::test_two", "loop::test_two", "other::test_one", "last::test_one"),
]


def test_asyncio_runs_in_the_same_process(tmp_path: Path) -> None:
    if find("chromium") is None:
        pytest.skip("NO PAGE IS TESTED HERE: Chromium is not installed; Debian has it")
    for name in ("browser", "other"):
        (tmp_path / f"test_{name}.py").write_text(IN_A_BROWSER)
    for name in ("loop", "last"):
        (tmp_path / f"test_{name}.py").write_text(WITH_A_LOOP)
    named = [one.partition("::") for one in ORDER]
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml")),
            *("-p", "tests.browser.conftest", "-p", "no:randomly", "-p", "no:cacheprovider"),
            *(f"{tmp_path}/test_{name}.py{sign}{test}" for name, sign, test in named),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert f"{len(ORDER)} passed" in ended.stdout, ended.stdout + ended.stderr
