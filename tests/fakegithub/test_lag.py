"""Replicas lag, and webhooks are sent: late, doubled, out of order, or not at all."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.fakegithub.api import ask
from tests.fakegithub.client import FakeGitHub
from tests.waiting import eventually

SECRET = "s3cret"


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=5, members=3, anonymous_limit=10_000) as server:
        yield server


def description(github: FakeGitHub) -> Any:
    """The organisation's, as the replica says whose turn it is."""
    return ask(github, "/orgs/Netflix").json["description"]


class TestLag:
    def test_a_replica_shows_the_world_before_a_change_for_so_long(
        self, github: FakeGitHub
    ) -> None:
        github.configure(lag=[3])
        before = description(github)
        github.mutate("edit_org", description="one")
        github.configure(clock_skew=2)
        github.mutate("edit_org", description="two")
        assert description(github) == before
        github.configure(clock_skew=3.5)
        assert description(github) == "one"
        github.configure(clock_skew=6)
        assert description(github) == "two"

    def test_two_requests_may_see_different_ones(self, github: FakeGitHub) -> None:
        github.configure(lag=[0, 3])
        before = description(github)
        description(github)
        github.mutate("edit_org", description="one")
        assert [description(github) for _ in range(4)] == ["one", before, "one", before]

    def test_former_worlds_are_forgotten(self, github: FakeGitHub) -> None:
        github.configure(lag=[3])
        for number in range(20):
            github.configure(clock_skew=number)
            github.mutate("edit_org", description=str(number))
        assert len(github.server.github.replicas.former) <= 4


class Receiver:
    """Receives deliveries: event, id, body and signature."""

    def __init__(self) -> None:
        received: list[tuple[str, str, bytes, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                names = ("X-GitHub-Event", "X-GitHub-Delivery", "X-Hub-Signature-256")
                event, delivery, signature = (self.headers[name] for name in names)
                received.append((event, delivery, body, signature))
                self.send_response(202)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.received = received
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


def hook(receiver: Receiver, **options: float) -> dict[str, Any]:
    """The options of a hook."""
    return {"url": receiver.url, "secret": SECRET, **options}


class TestWebhooks:
    def test_a_mutation_is_told_with_a_signature(
        self, github: FakeGitHub, receiver: Receiver
    ) -> None:
        github.configure(hook=hook(receiver))
        touched = github.mutate("star", repo=2)
        eventually(lambda: bool(receiver.received))
        event, _, body, claimed = receiver.received[0]
        assert event == "star"
        assert json.loads(body)["repository"]["id"] == touched["id"]
        assert json.loads(body)["action"] == "created"
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert claimed == f"sha256={digest}"

    def test_deliveries_come_late(self, github: FakeGitHub, receiver: Receiver) -> None:
        github.configure(hook=hook(receiver, delay=0.3))
        began = time.monotonic()
        github.mutate("star")
        eventually(lambda: bool(receiver.received), every=0.01)
        assert time.monotonic() - began >= 0.3

    def test_deliveries_come_twice_with_one_id_and_out_of_order(
        self, github: FakeGitHub, receiver: Receiver
    ) -> None:
        github.configure(hook=hook(receiver, jitter=0.3, doubled=1))
        touched = [github.mutate("star", repo=number % 5)["id"] for number in range(10)]
        eventually(lambda: len(receiver.received) == 20)
        assert len({delivery for _, delivery, _, _ in receiver.received}) == 10
        order = [json.loads(body)["repository"]["id"] for _, _, body, _ in receiver.received]
        assert order != [one for one in touched for _ in range(2)]

    def test_deliveries_are_lost(self, github: FakeGitHub, receiver: Receiver) -> None:
        github.configure(hook=hook(receiver, lost=1))
        github.mutate("star")
        github.configure(hook=hook(receiver))
        github.mutate("push")
        eventually(lambda: bool(receiver.received))
        assert [event for event, *_ in receiver.received] == ["push"]
        assert github.server.github.hooks.lost == 1
