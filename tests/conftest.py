"""What tests of every kind share: a real Redis, and nothing of the machine's own settings.

Property tests draw the same examples in every run, and leave nothing on disk.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from redis import Redis

from scripts.embedded_redis import EmbeddedRedis
from shared.settings import Settings

settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    # pottery makes a client of it when it is first imported, and never uses that.
    assert "REDIS_URL" not in os.environ


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server for the tests of one pytest process."""
    with EmbeddedRedis(Path(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture
def redis(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    """A client of an empty Redis."""
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client
