"""The version that readers report is the project's."""

import tomllib
from pathlib import Path

from shared.version import VERSION

CHECKOUT = Path(__file__).parents[2]


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
