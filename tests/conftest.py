"""What tests of every kind share: a real Redis, and nothing of the machine's own settings.

Property tests draw the same examples in every run, fewer in `make check` than in `make test`, and
leave nothing on disk.
"""

import gc
import os
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings
from redis import Redis

from scripts.embedded_redis import EmbeddedRedis
from shared.settings import Settings
from tests.categories import markers_of, order_of, refusing_servers
from tests.end_to_end import fleet
from tests.end_to_end.forks import Forks
from tests.scheduling import Scheduling, lower_priority

settings.register_profile(
    "deterministic", derandomize=True, deadline=None, database=None, max_examples=40
)
settings.register_profile("quick", settings.get_profile("deterministic"), max_examples=15)
settings.load_profile("deterministic")
_SETTINGS = frozenset(name.upper() for name in Settings.model_fields)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the length of the run of random changes (`tests/refresher/test_many_changes.py`)."""
    parser.addoption("--changes", type=int, default=100, help="number of random changes of a list")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark tests by where they stand; begin with those that start processes.

    So the longest groups do not begin when all others have ended.
    """
    for item in items:
        for marker in markers_of(item.nodeid):
            item.add_marker(marker)
    yield  # `-m` has chosen, and pytest-randomly has shuffled
    items.sort(
        key=lambda item: order_of(
            item.nodeid, has_processes=item.get_closest_marker("processes") is not None
        )
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Choose which process runs which tests."""
    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Search no garbage among thousands of tests; then let those that start processes go first."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        lower_priority(session.config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let only tests that are marked `processes` start servers, also in their modules' fixtures."""
    if item.get_closest_marker("processes"):
        return (yield)
    checked = refusing_servers(subprocess.Popen.__init__)
    with patch.object(subprocess.Popen, "__init__", checked):
        return (yield)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _SETTINGS.intersection(os.environ):
        monkeypatch.delenv(name)
    # pottery makes a client of it when it is first imported, and never uses that.
    assert "REDIS_URL" not in os.environ


@pytest.fixture(scope="session", autouse=True)
def _fork_server() -> Iterator[None]:
    """Readers, refreshers and commands are forked from one process that has imported all."""
    fleet.FORKS = Forks()
    yield
    fleet.FORKS.stop()
    fleet.FORKS = None


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server for the tests of one pytest process."""
    with EmbeddedRedis(Path(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture
def redis(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    """A client of an empty Redis, which a busy machine may hold up for longer than seconds."""
    with Redis.from_url(redis_server.url, socket_timeout=60, socket_connect_timeout=60) as client:
        client.flushall()
        yield client
