"""`make cache` finds a running `make run`, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import cache, running
from scripts.running import ROOT, environment, findable


@pytest.fixture(autouse=True)
def _a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_FOLDER", tmp_path / "running")


def test_a_run_is_found_for_as_long_as_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("GITHUB_API_TOKEN", "ghp_secret")
    assert environment() is None
    with findable():
        found = environment()
        assert found is not None
        assert found["REDIS_URL"] == "redis://127.0.0.1:1/0"
        assert found["ORGS"] == ""
        assert "ghp_secret" not in str(found)
    assert environment() is None
    monkeypatch.delenv("REDIS_URL")


def test_a_killed_run_is_not_found(tmp_path: Path) -> None:
    folder = tmp_path / "running"
    program = (
        "import os, pathlib, signal; from scripts import running\n"
        f"running._FOLDER = pathlib.Path({str(folder)!r})\n"
        "with running.findable(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=30)
    assert len(list(folder.iterdir())) == 1
    assert environment() is None
    assert list(folder.iterdir()) == []


def test_without_a_run_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "read_dotenv", lambda: None)
    monkeypatch.setattr(sys, "argv", ["cache", "list"])
    with pytest.raises(SystemExit, match="no `make run` or `make demo` is running") as ended:
        cache.main()
    assert "\n" not in str(ended.value.code)
