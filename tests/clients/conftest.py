"""Fixtures of the clients' tests."""

from collections.abc import Iterator

import pytest

from tests.clients.stage import Stage, staged


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One fleet for all scenarios of a module."""
    with staged(tmp_path_factory.mktemp("stage")) as running:
        yield running
