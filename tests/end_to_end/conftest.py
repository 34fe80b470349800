"""Fixtures of the process-level tests."""

from collections.abc import Iterator

import pytest

from tests.fakegithub.client import FakeGitHubProcess


@pytest.fixture
def github() -> Iterator[FakeGitHubProcess]:
    """A stand-in GitHub of the test's own: 250 repositories on 3 pages, 130 members on 2."""
    with FakeGitHubProcess(anonymous_limit=1_000_000) as server:
        yield server
