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
from tests.end_to_end import fleet
from tests.end_to_end.forks import Forks

settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.register_profile("quick", settings.get_profile("deterministic"), max_examples=15)
settings.load_profile("deterministic")


# Folders and modules whose tests start servers, workers or browsers.
_PROCESSES = ("tests/end_to_end/", "tests/browser/", "tests/clients/", "tests/chaos/test_chaos")
# Tests of seconds that start none, or only short-lived interpreters.
_SLOW = (
    "tests/refresher/visibility/test_only_public.py",
    "tests/reader/telemetry/test_process_files.py",
    *("tests/bench/", "tests/fuzz/"),
)
# Those that need a browser, Node.js or Debian's package manager.
_SHIPPING = (
    *("tests/browser/", "tests/clients/test_octokit.py", "tests/shipping/test_debian.py"),
    *("tests/shipping/test_haproxy_behaviour.py", "tests/shipping/test_image.py"),
)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark tests by where they stand; keep those that share a fleet together, and begin with them.

    pytest-xdist gives a group to one of its processes. So a module's fleet is started once, and the
    longest groups do not begin when all others have ended.
    """
    for item in items:
        if item.nodeid.startswith(_PROCESSES):
            item.add_marker("processes")
        if item.nodeid.startswith(_SLOW):
            item.add_marker("slow")
        if item.nodeid.startswith(_SHIPPING):
            item.add_marker("shipping")
        if item.get_closest_marker("processes"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    yield  # `-m` has chosen, and pytest-randomly has shuffled
    items.sort(key=lambda item: item.get_closest_marker("processes") is None)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
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
    """A client of an empty Redis."""
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client
