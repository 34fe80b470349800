"""docs/strangers.md names source, version and licence of all that others wrote."""

import json
import re
from pathlib import Path

import pytest

from tests.fakegithub.make_openapi_schemas import PACKAGE, VERSION

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "strangers.md"
LICENCES = "MIT|BSD-3-Clause|Apache-2.0|MPL-2.0|LGPL-3.0"
COPIED = (
    "strangers/*.tsv",
    "fakegithub/openapi_schemas.json",
    "fakegithub/recorded_responses.json",
)
PACKAGES = ("reader/webhooks/examples", "clients/octokit", "browser/axe")


def rows() -> dict[str, tuple[str, str]]:
    """Version and licence by the name of the source, in small letters."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| [")]
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
    return {re.sub(r"\[([^]]+)\].*", r"\1", one[0]).lower(): (one[1], one[2]) for one in cells}


def test_each_has_a_version_and_a_licence() -> None:
    assert len(rows()) == 13
    for name, (version, licence) in rows().items():
        assert re.fullmatch(r"[\d.]+|[0-9a-f]{12}", version), name
        assert re.fullmatch(LICENCES, licence), name


def test_the_versions_are_those_that_the_tests_use() -> None:
    required = dict(
        re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)
    )
    used = {name.lower(): version for name, version in required.items()} | {PACKAGE: VERSION}
    for folder in PACKAGES:
        used |= json.loads((ROOT / "tests" / folder / "package.json").read_text())["dependencies"]
    known = {name: version for name, (version, _) in rows().items() if name in used}
    assert len(known) == 10
    assert known == {name: used[name] for name in known}


@pytest.mark.parametrize("pattern", COPIED)
def test_what_is_copied_has_its_notice(pattern: str) -> None:
    files = [one for one in (ROOT / "tests").glob(pattern) if "_reasons" not in one.name]
    assert files
    for file in files:
        beginning = file.read_text()[:3000]
        assert "Copyright (c)" in beginning, file
        assert re.search(r"[Pp]ermission is hereby granted|Redistribution and use", beginning), file
        versions = (version for version, _ in rows().values())
        assert any(version in beginning for version in versions), file
