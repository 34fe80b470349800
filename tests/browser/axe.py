"""axe-core, which finds what keeps people from using a page: its source, to be put into one."""

from pathlib import Path

from tests import npm

FOLDER = Path(__file__).parent / "axe"


def source() -> str:
    """The script, which gives a page `axe.run()`; may raise `tests.npm.NodeMissing`."""
    return (npm.install(FOLDER) / "axe-core" / "axe.min.js").read_text()
