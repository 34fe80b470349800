"""Fixtures of the clients' tests."""

from collections.abc import Iterator

import pytest

from tests.clients.deployment import Deployment, deployed


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One fleet for a module."""
    with deployed(tmp_path_factory.mktemp("fleet")) as running:
        yield running
