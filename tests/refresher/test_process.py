"""The components that all refreshes of a process share."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace

import pytest

from refresher import process
from refresher.reporting.reporter import NO_CAUSE
from scripts.embedded_redis import EmbeddedRedis
from tests.refresher.workbench import ORG, USER_VIEW


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, redis_server: EmbeddedRedis) -> Iterator[None]:
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setattr(process._process, "server", None)  # restored afterwards
    # Meant for a process of its own, not for the tests'.
    nothing = SimpleNamespace(collect=list, freeze=list, set_threshold=lambda *_: None)
    monkeypatch.setattr(process, "gc", nothing)
    yield
    process.close()


def test_many_threads_make_the_components_once() -> None:
    barrier = Barrier(20)

    def current(_: int) -> process.RefresherProcess:
        barrier.wait(60)
        return process.current()

    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(current, range(20)))
    assert {id(one) for one in found} == {id(process.current())}


def test_a_forked_process_has_components_of_its_own() -> None:
    process.serve()
    made = process.current()
    child = os.fork()
    if child == 0:  # never returns to pytest
        own = process.current()
        os._exit(0 if own is not made and own.pid == os.getpid() and process.is_work_horse() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert process.current() is made


def test_after_close_they_are_made_anew_by_the_settings_of_that_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert process.current().settings.cache_ttl != 77
    process.close()
    monkeypatch.setenv("CACHE_TTL", "77")
    assert process.current().settings.cache_ttl == 77


def test_a_process_that_serves_is_no_work_horse() -> None:
    assert process.is_work_horse()
    process.serve()
    assert not process.is_work_horse()


def test_refreshes_share_connections_and_counters_but_not_what_they_cost() -> None:
    components = process.current()
    one, other = (components.context(resource, NO_CAUSE) for resource in (ORG, USER_VIEW))
    assert one.origin.transport is other.origin.transport
    assert one.storage is other.storage
    assert one.reporter.meter is other.reporter.meter
    assert one.reporter.expenses is not other.reporter.expenses


def test_a_work_horse_ends_once_its_worker_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    parents, exits = iter([7, 7, 1]), list[int]()
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(os, "_exit", exits.append)
    check = process._end_with_parent()
    check()
    assert exits == []
    check()
    assert exits == [1]
