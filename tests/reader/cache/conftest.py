"""The components of a reader on the tests' Redis."""

import pytest
from redis import Redis

from tests.reader.bench import Bench


@pytest.fixture
def bench(redis: Redis) -> Bench:
    """A reader process with an empty Redis; tests drive it."""
    return Bench(redis)
