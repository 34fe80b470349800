"""The runbooks: for each alert a page that says what to do, as readers show them.

They are the files of `docs/runbooks`, so that they are of the release that runs, and can be read
while the place where the documentation is published cannot be reached.
"""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
_INDEX = "README"  # the page about the pages


@cache
def runbooks() -> dict[str, str]:
    """The pages by name, as Markdown; none where the folder was not installed."""
    pages = sorted(path for path in FOLDER.glob("*.md") if path.stem != _INDEX)
    return {path.stem: path.read_text(encoding="utf-8") for path in pages}
