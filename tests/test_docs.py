"""What the documents say of the code's structure is true."""

import re
from pathlib import Path

import pytest

from shared.resources.kinds import TRACKED, Kind
from shared.resources.views import rankings

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
# Folders without Python.
NO_PACKAGES = {"templates/", "assets/"}
README = (ROOT / "README.md").read_text()


def modules(package: str) -> set[str]:
    """The names of a package's modules and packages."""
    found = {path.stem for path in (ROOT / package).rglob("*.py") if path.stem != "__init__"}
    folders = {path.parent.name for path in (ROOT / package).rglob("__init__.py")}
    return found | folders


def tree_of(package: str) -> str:
    """The part of the file tree that shows a package."""
    _, begins, rest = ARCHITECTURE.partition(f"\n{package}/")
    assert begins, f"docs/architecture.md shows no {package}/"
    return re.split(r"\n(?=\w+/)|\n```", rest, maxsplit=1)[0]


@pytest.mark.parametrize("package", ["reader", "refresher", "shared"])
def test_the_file_tree_names_every_module_and_no_other(package: str) -> None:
    lines = [re.split(r"\s{3,}", line.strip())[0] for line in tree_of(package).splitlines()]
    named = {name for line in lines for name in line.split() if "." not in name}
    known = modules(package) - {package}
    named = {name.rstrip("/") for name in named if name not in NO_PACKAGES}
    assert (known - named, named - known) == (set(), set())


@pytest.mark.parametrize("kind", TRACKED, ids=lambda kind: kind.name)
def test_the_documents_show_every_row_of_the_table_of_kinds(kind: Kind) -> None:
    assert f"`{kind.template}`" in README
    assert f"`{kind.template}`" in ARCHITECTURE


@pytest.mark.parametrize("ranking", rankings())
def test_the_readme_names_every_ranking(ranking: str) -> None:
    assert f"`{ranking}`" in README
