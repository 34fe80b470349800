import os
import threading
from pathlib import Path

import pytest
from redis import Redis

from reader.cache.refresh_requests import Requester
from reader.process import ReaderProcess
from reader.telemetry.process_files import FOLDER
from scripts.embedded_redis import free_port
from tests.builders import CATALOGUE, make_entry, make_settings, store_entry, tracked
from tests.reader.conftest import MakeApp


def node_of(make_app: MakeApp, **known: object) -> ReaderProcess:
    process = make_app(**known).extensions["process"]
    assert isinstance(process, ReaderProcess)
    return process


def own_threads() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name in {"subscriber", "synchronizer"}}


def test_a_node_starts_nothing_and_connects_to_nothing_before_it_is_used() -> None:
    before = own_threads()
    process = ReaderProcess(make_settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    assert own_threads() == before
    process.stop()  # nor does ending it


def test_a_node_starts_its_two_threads_once(make_app: MakeApp) -> None:
    before = own_threads()
    process = node_of(make_app)
    assert process.start() is process.start()
    names = sorted(one.name for one in own_threads() - before)
    assert names == ["subscriber", "synchronizer"]


def test_threads_that_start_at_once_share_one_set_of_parts(make_app: MakeApp) -> None:
    process = node_of(make_app)
    barrier, parts = threading.Barrier(10), []

    def start() -> None:
        barrier.wait(60)
        parts.append(process.start())

    threads = [threading.Thread(target=start) for _ in range(10)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len({id(one) for one in parts}) == 1


def test_no_thread_of_a_node_keeps_its_process_from_ending(make_app: MakeApp) -> None:
    before = own_threads()
    node_of(make_app).start()
    assert all(one.daemon for one in own_threads() - before)


def test_a_node_that_was_stopped_can_start_anew(make_app: MakeApp) -> None:
    process = node_of(make_app)
    first = process.start()
    process.stop()
    assert process.start() is not first


@pytest.mark.parametrize(("value", "has_one"), [("", False), (None, False), ("x", True)])
def test_processes_share_their_counts_in_the_folder_that_gunicorn_made(
    make_app: MakeApp,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
    *,
    has_one: bool,
) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    if value is not None:
        monkeypatch.setenv(FOLDER, value and str(tmp_path))
    node_of(make_app).start().reporter.write()
    assert (tmp_path / f"{os.getpid()}.json").exists() is has_one


def test_everything_tracked_is_missing_at_first(make_app: MakeApp, redis: Redis) -> None:
    local = node_of(make_app).start().local
    assert local.missing(CATALOGUE.tracked) == list(CATALOGUE.tracked)


def test_what_was_served_once_is_not_missing(make_app: MakeApp, redis: Redis) -> None:
    resource = tracked("/orgs/Netflix")
    store_entry(redis, resource, make_entry())
    components = node_of(make_app).start()
    components.lookup.get(resource, Requester("192.0.2.1"))
    missing = components.local.missing(CATALOGUE.tracked)
    assert resource not in missing
    assert tracked("/") in missing
