"""The matrix of Pythons: what is found, what is run, and what it says."""

import re
import tomllib
from pathlib import Path

import pytest

from scripts import matrix

# Notes its arguments and whether it would obey a make above it; fails for one version.
MAKE = """#!/bin/sh
echo "${MAKEFLAGS-none} $*" >> "$ASKED"
case "$*" in *3.13*) exit 2 ;; esac
"""


class Machine:
    """A machine, as far as it is looked at: a PATH, and a home folder."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.home, self.asked = folder / "bin", folder / "home", folder / "asked"
        for made in (self.bin, self.home):
            made.mkdir()
        self.program(self.bin / "make", MAKE)

    def program(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def python(self, path: str, version: str) -> Path:
        """Install something that says it is a Python of that version."""
        return self.program(self.home.parent / path, f"#!/bin/sh\necho {version}\n")

    def runs(self) -> list[str]:
        """What make was asked."""
        return self.asked.read_text().splitlines() if self.asked.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(made.bin))
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.setenv("ASKED", str(made.asked))
    monkeypatch.setenv("MAKEFLAGS", "VENV=.venv")
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    monkeypatch.setattr(matrix, "VERSIONS", ("3.12", "3.13", "3.98", "3.99"))
    monkeypatch.chdir(tmp_path)
    return made


def test_each_python_that_is_found_is_tried_and_the_others_are_named(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    shim = machine.python("bin/python3.12", "pyenv: not chosen")
    assert shim.exists()
    machine.python("home/.pyenv/versions/3.12.9/bin/python3.12", "3.12")
    newest = machine.python("home/.pyenv/versions/3.12.10/bin/python3.12", "3.12")
    uvs = "home/.local/share/uv/python/cpython-3.98.1-linux-x86_64-gnu/bin/python3.98"
    other = machine.python(uvs, "3.98")
    assert matrix.main() == 0
    assert machine.runs() == [
        f"none --no-print-directory VENV=.data/matrix/{version} PYTHON={python} quick-tests"
        for version, python in (("3.12", newest), ("3.98", other))
    ]
    said = re.sub(r"\d+ s", "N s", capsys.readouterr().out).splitlines()
    assert said[-4:] == [
        "Python 3.12: passed in N s",
        "Python 3.13: not installed",
        "Python 3.98: passed in N s",
        "Python 3.99: not installed",
    ]


def test_one_that_fails_does_not_keep_the_others_from_being_tried(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.python("bin/python3.13", "3.13")
    machine.python("bin/python3.98", "3.98")
    assert matrix.main() == 1
    assert len(machine.runs()) == 2
    assert "Python 3.13: FAILED" in capsys.readouterr().out


@pytest.mark.usefixtures("machine")
def test_without_any_python_nothing_was_shown() -> None:
    assert matrix.main("3.99") == 1


def test_all_versions_that_the_project_names_are_tried() -> None:
    project = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text())
    named = re.findall(r"Python :: (3\.\d+)", str(project["project"]["classifiers"]))
    assert set(named) <= set(matrix.VERSIONS)
    assert project["project"]["requires-python"] == f">={matrix.VERSIONS[0]}"
