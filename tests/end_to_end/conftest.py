"""Fixtures of the process-level tests."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.fakegithub.client import FakeGitHubProcess


class SharedGitHub(FakeGitHubProcess):
    """A stand-in GitHub for one test after the other, as long as it is as it was.

    Stars that were given stay: tests compare with what it holds, not with what it once held.
    """

    is_reusable = True

    def configure(self, **options: Any) -> None:
        """Change rules; the next test gets another stand-in."""
        self.is_reusable = False
        super().configure(**options)

    def mutate(self, kind: str, **options: Any) -> dict[str, Any]:
        """Change the world; the next test gets another one, unless it was given a star."""
        self.is_reusable = self.is_reusable and kind == "star"
        return super().mutate(kind, **options)

    def script(self, path: str, page: int, kind: str, **options: Any) -> int:
        """Change the world later; the next test gets another stand-in."""
        self.is_reusable = False
        return super().script(path, page, kind, **options)

    def renew(self) -> None:
        """Forget faults, what was asked, and how much of a limit it used up."""
        super().configure(reset_limits=True)
        self.clear_faults()
        self.reset_counters()


@pytest.fixture(scope="session")
def _shared_githubs() -> Iterator[list[SharedGitHub]]:
    """The stand-in that the last test left, if it left it as it was."""
    left: list[SharedGitHub] = []
    yield left
    for one in left:
        one.stop()


@pytest.fixture
def github(_shared_githubs: list[SharedGitHub]) -> Iterator[FakeGitHubProcess]:
    """A stand-in GitHub: 250 repositories on 3 pages, 130 members on 2; nothing was asked yet."""
    server = _shared_githubs.pop() if _shared_githubs else SharedGitHub(anonymous_limit=1_000_000)
    yield server
    if server.is_reusable:
        with suppress(OSError):
            server.renew()
            _shared_githubs.append(server)
            return
    server.stop()
