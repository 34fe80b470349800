"""Readers, which are stopped with their test, and event loops."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from reader.app import create_app
from reader.process import ReaderProcess
from scripts.embedded_redis import EmbeddedRedis
from shared.redis import keys
from tests.builders import make_settings
from tests.reader.front.loopback import LOOPS, Run

MakeApp = Callable[..., Flask]


@pytest.fixture(params=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine, on either loop."""
    return Run(LOOPS[request.param])


@pytest.fixture
def make_app(redis: Redis, redis_server: EmbeddedRedis) -> Iterator[MakeApp]:
    """Makes readers on the tests' Redis; ends them and their threads after the test."""
    nodes: list[ReaderProcess] = []

    def make(**known: Any) -> Flask:
        known = {"redis_url": redis_server.url, "miss_wait": 0.2, "orgs": "Netflix,Google", **known}
        app = create_app(make_settings(**known))
        process = app.extensions["process"]
        assert isinstance(process, ReaderProcess)
        nodes.append(process)
        return app

    before = set(threading.enumerate())
    yield make
    for process in nodes:
        process.stop()
    started = [
        thread
        for thread in threading.enumerate()
        if thread not in before
        and thread.name in {"synchronizer", "subscriber", "reporter", "changes"}
    ]
    for thread in started:
        while thread.is_alive():
            redis.publish(keys.ANNOUNCE, "null")  # wakes a subscriber, which then ends
            thread.join(0.05)
