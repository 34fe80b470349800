"""What gunicorn serves behind the front."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from flask import Response
from redis import Redis
from werkzeug.http import http_date

from shared.measures import Measure
from tests.builders import CATALOGUE, JSON, NOW, make_entry, store_entry, tracked
from tests.reader.conftest import MakeApp
from tests.reader.front.helpers import Reader, Sent, a_reader
from tests.reader.front.loopback import Run, an_application

if TYPE_CHECKING:
    from reader.asgi import Application

SECRET = "s3cret"
THREADS = 20  # as few as the settings allow
BODY = b'["zen"]' + b" " * 1000


@pytest.fixture
def reader() -> Iterator[Reader]:
    with a_reader(log_share=1, reader_threads=THREADS, github_webhook_secret=SECRET) as made:
        made.bench.local.put(tracked("/orgs/Netflix"), make_entry(b'"netflix"'), NOW)
        yield made


@pytest.fixture
def application(reader: Reader) -> "Iterator[Application]":
    with an_application(reader.app) as made:
        yield made


@asynccontextmanager
async def all_threads_ended(application: "Application") -> AsyncIterator[None]:
    """A thread that has something to send waits for the loop to do it."""
    yield
    await asyncio.to_thread(application._flask.executor.shutdown)


def make_scope(path: str = "/", method: str = "GET", **known: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"a.test")],
        "server": ("127.0.0.1", 5000),
        "client": ("192.0.2.7", 4000),
        **known,
    }


class Exchange:
    """One call of the application, as a server makes it.

    Args:
        messages: what the application receives; after them it waits for ever.
        pause: seconds before each of them.
    """

    def __init__(self, *messages: dict[str, Any], pause: float = 0.0) -> None:
        self._messages = list(messages)
        self._pause = pause
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> Any:
        if not self._messages:
            await asyncio.Event().wait()
        await asyncio.sleep(self._pause)
        return self._messages.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def call(self, application: "Application", scope: dict[str, Any]) -> "Exchange":
        await application(scope, self.receive, self.send)
        return self

    @property
    def answer(self) -> Sent:
        """What was sent, which must be one whole answer."""
        start, *rest = self.sent
        assert start["type"] == "http.response.start"
        assert {message["type"] for message in rest} == {"http.response.body"}
        assert [message.get("more_body", False) for message in rest][-1] is False
        fields = [(name.decode().lower(), value.decode()) for name, value in start["headers"]]
        return Sent(start["status"], fields, b"".join(message["body"] for message in rest))


def requested(body: bytes = b"", **known: Any) -> dict[str, Any]:
    return {"type": "http.request", "body": body, **known}


async def ask(application: "Application", path: str, method: str = "GET", **known: Any) -> Sent:
    exchange = Exchange(requested())
    return (await exchange.call(application, make_scope(path, method, **known))).answer


def test_a_request_is_served_by_flask(run: Run, reader: Reader, application: "Application") -> None:
    async def test() -> None:
        async with all_threads_ended(application):
            sent = await ask(application, "/orgs/Netflix")
            assert (sent.status, sent.body) == (200, b'"netflix"')
            assert (await ask(application, "/nothing")).status == 404
            assert (await ask(application, "/orgs/Netflix", "DELETE")).status == 405
            sent = await ask(application, "/orgs/Netflix", "HEAD")
            assert (sent.status, sent.body, sent.value("content-length")) == (200, b"", "9")

    run(test())


@pytest.mark.parametrize("raw", [b"http://a.test/orgs/Netflix", b"HTTPS://b:1/orgs/%4Eetflix"])
def test_a_target_may_be_a_whole_url(run: Run, application: "Application", raw: bytes) -> None:
    """As gunicorn passes it on: the path is not taken out of it."""

    async def test() -> None:
        async with all_threads_ended(application):
            url = raw.decode()
            assert (await ask(application, url)).body == b'"netflix"'
            assert (await ask(application, "http://a.test")).status == 503  # of `/`: not held
            assert (await ask(application, "http://a.test/livez")).body == b'{"status": "ok"}'

    run(test())


def test_every_answer_names_the_server_once(run: Run, application: "Application") -> None:
    async def test() -> None:
        async with all_threads_ended(application):
            for path in ("/orgs/Netflix", "/nothing", "/livez", "/healthcheck"):
                sent = await ask(application, path)
                named = [value for name, value in sent.fields if name == "server"]
                assert named == ["api-read-cache"]

    run(test())


# Health.


@pytest.mark.parametrize("path", ["/livez", "/healthcheck"])
@pytest.mark.parametrize("is_well", [False, True])
def test_health_is_answered_as_flask_would(
    run: Run, reader: Reader, application: "Application", path: str, is_well: bool
) -> None:
    if is_well:
        for resource in CATALOGUE.tracked:
            reader.bench.local.put(resource, make_entry(), NOW)

    async def test() -> None:
        for method in ("GET", "HEAD"):
            sent = await ask(application, path, method)
            by_flask = reader.app.test_client().open(path, method=method)
            assert sent.status == (200 if is_well or path == "/livez" else 503)
            assert (sent.status, sent.body) == (by_flask.status_code, by_flask.data)
            fields = [(name.lower(), value) for name, value in by_flask.headers]
            own = [("server", "api-read-cache"), ("date", http_date(NOW))]
            assert without_id(sent.fields) == [*without_id(fields), *own]
            assert sent.value("x-request-id")
            assert sent.value("content-type") == JSON

    run(test())


def without_id(fields: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Fields but for the one that is another each time."""
    return [(name, value) for name, value in fields if not name.endswith("request-id")]


def test_what_is_missing_is_named(run: Run, reader: Reader, application: "Application") -> None:
    async def test() -> None:
        missing = json.loads((await ask(application, "/healthcheck")).body)["missing"]
        held = {"/orgs/Netflix"}
        assert missing == [one.name for one in CATALOGUE.tracked if one.name not in held]

    run(test())


def test_a_process_that_has_just_begun_answers_for_its_health_when_it_has_loaded(
    run: Run, make_app: MakeApp, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reader.asgi._LOADING", 60.0)  # Redis and the thread may be held up
    for resource in CATALOGUE.tracked:
        store_entry(redis, resource, make_entry())
    redis.client_pause(300, all=True)  # milliseconds

    async def test() -> None:
        with an_application(make_app()) as application:
            assert (await ask(application, "/healthcheck")).status == 200

    run(test())


def test_health_does_not_wait_for_what_redis_does_not_hold(
    run: Run, make_app: MakeApp, redis: Redis
) -> None:
    async def test() -> None:
        with an_application(make_app()) as application:
            assert (await ask(application, "/healthcheck")).status == 503
            assert not application.process.start().synchronizer.is_loading

    run(test())


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 204), ("POST", 405)])
def test_other_methods_on_health_are_flasks(
    run: Run, application: "Application", method: str, status: int
) -> None:
    async def test() -> None:
        async with all_threads_ended(application):
            assert (await ask(application, "/livez", method)).status == status

    run(test())


def test_health_is_answered_while_every_thread_is_busy(
    run: Run, reader: Reader, application: "Application"
) -> None:
    waiting: list[None] = []
    over = Event()

    def wait() -> Response:
        waiting.append(None)
        over.wait()
        return Response(b"over")

    reader.app.add_url_rule("/wait", view_func=wait)

    async def test() -> None:
        async with all_threads_ended(application):
            try:
                tasks = [asyncio.create_task(ask(application, "/wait")) for _ in range(THREADS + 5)]
                while len(waiting) < THREADS:
                    await asyncio.sleep(0.001)
                held_up = asyncio.create_task(ask(application, "/orgs/Netflix"))
                for path in ("/livez", "/healthcheck"):
                    for _ in range(3):
                        assert (await ask(application, path)).value("content-type") == JSON
                assert len(waiting) == THREADS
                assert not held_up.done()
            finally:
                over.set()
            assert {sent.body for sent in await asyncio.gather(*tasks)} == {b"over"}
            assert (await held_up).status == 200

    run(test())


# Bodies.


def delivery(body: bytes = BODY) -> dict[str, Any]:
    """The scope of a signed delivery, whose body is no delivery's."""
    signature = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    headers = [
        (b"host", b"a.test"),
        (b"content-length", str(len(body)).encode()),
        (b"x-hub-signature-256", f"sha256={signature}".encode()),
        (b"x-github-event", b"ping"),
        (b"x-github-delivery", b"a-1"),
    ]
    return make_scope("/webhooks/github", "POST", headers=headers)


def pieces(body: bytes, size: int) -> list[dict[str, Any]]:
    cut = [body[at : at + size] for at in range(0, len(body), size)]
    return [requested(piece, more_body=True) for piece in cut[:-1]] + [requested(cut[-1])]


def assert_taken_whole(sent: Sent) -> None:
    """The signature matched, and the next thing was looked at."""
    assert sent.status == 400
    assert json.loads(sent.body)["message"] == "The body is not a JSON object."


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_a_body_is_taken_whole_in_whatever_pieces(
    run: Run, application: "Application", size: int
) -> None:
    async def test() -> None:
        async with all_threads_ended(application):
            exchange = Exchange(*pieces(BODY, size))
            assert_taken_whole((await exchange.call(application, delivery())).answer)

    run(test())


def test_a_body_that_comes_slowly_is_waited_for(
    run: Run, application: "Application", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reader.bodies.body_reader.DEADLINE", 5)

    async def test() -> None:
        async with all_threads_ended(application):
            exchange = Exchange(*pieces(BODY, 100), pause=0.05)
            assert_taken_whole((await exchange.call(application, delivery())).answer)

    run(test())


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies have no time to come."""
    monkeypatch.setattr("reader.bodies.body_reader.DEADLINE", 0.01)
    monkeypatch.setattr("reader.bodies.body_reader.LINGER", 0.01)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("come", [[], [requested(BODY[:10], more_body=True)]])
def test_a_client_that_falls_silent_in_its_body_holds_no_thread(
    run: Run,
    reader: Reader,
    application: "Application",
    come: list[dict[str, Any]],
) -> None:
    async def test() -> None:
        async with all_threads_ended(application):
            calls = [Exchange(*come).call(application, delivery()) for _ in range(2 * THREADS)]
            for exchange in await asyncio.gather(*calls):
                sent = exchange.answer
                assert (sent.status, sent.value("connection")) == (408, "close")
                assert sent.value("access-control-allow-origin") == "*"
                assert sent.value("server") == "api-read-cache"
            refused = ("/webhooks/github", "refused", "408")
            counted = reader.bench.counters.counts()
            assert counted[Measure.REQUESTS, refused] == 2 * THREADS

    run(test())


def test_a_client_that_goes_in_its_body_holds_no_thread(
    run: Run, application: "Application"
) -> None:
    async def test() -> None:
        async with all_threads_ended(application):
            exchange = Exchange(requested(b"{", more_body=True), {"type": "http.disconnect"})
            assert (await exchange.call(application, delivery())).answer.status == 400

    run(test())


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    ("path", "changed", "status"),
    [
        ("/webhooks/github", {b"x-hub-signature-256": b"sha256=0"}, 401),
        ("/webhooks/github", {b"x-github-event": b""}, 400),
        ("/webhooks/github", {b"content-length": b"99999999"}, 413),
        ("/status/pause", {}, 403),  # there is no ADMIN_TOKEN
        ("/orgs/Netflix", {}, 405),
        ("/nowhere", {}, 405),
    ],
)
def test_a_request_that_is_refused_anyhow_is_not_asked_for_its_body(
    run: Run,
    application: "Application",
    path: str,
    changed: dict[bytes, bytes],
    status: int,
) -> None:
    async def test() -> None:
        async with all_threads_ended(application):
            scope = delivery()
            scope["headers"] = [*{**dict(scope["headers"]), **changed}.items()]
            sent = (await Exchange().call(application, {**scope, "path": path})).answer
            assert sent.status == status
            assert json.loads(sent.body)["status"] == str(status)
            assert sent.value("x-request-id")

    run(test())


def test_a_body_of_which_the_length_is_not_told_is_taken_whole(
    run: Run, application: "Application"
) -> None:
    async def test() -> None:
        async with all_threads_ended(application):
            scope = delivery()
            chunked = {**dict(scope["headers"]), b"transfer-encoding": b"chunked"}
            del chunked[b"content-length"]
            exchange = Exchange(*pieces(BODY, 100))
            sent = await exchange.call(application, {**scope, "headers": [*chunked.items()]})
            assert_taken_whole(sent.answer)

    run(test())


def test_a_wrong_signature_takes_no_thread(
    run: Run, application: "Application", monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise AssertionError

    async def test() -> None:
        async with all_threads_ended(application):
            with monkeypatch.context() as patch:
                patch.setattr(type(application._flask), "__call__", fail)
                exchange = Exchange(*pieces(BODY.replace(b"z", b"Z"), 100))
                sent = (await exchange.call(application, delivery())).answer
            assert sent.status == 401
            assert json.loads(sent.body)["message"] == "The signature does not match."

    run(test())


def test_a_body_that_nobody_wants_is_not_waited_for(run: Run, application: "Application") -> None:
    async def test() -> None:
        async with all_threads_ended(application):
            exchange = Exchange()
            headers = [(b"host", b"a.test"), (b"content-length", b"10")]
            scope = make_scope("/orgs/Netflix", headers=headers)
            assert (await exchange.call(application, scope)).answer.status == 200

    run(test())


# Everything that is no request.


def test_the_life_of_the_process_is_that_of_its_node(
    run: Run, reader: Reader, application: "Application", monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    monkeypatch.setattr(reader.process, "start", lambda: happened.append("start"))
    monkeypatch.setattr(reader.process, "stop", lambda: happened.append("stop"))

    async def test() -> None:
        ended = asyncio.Event()
        began = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Any:
            kind = next(began)
            if kind == "lifespan.shutdown":
                await ended.wait()
            return {"type": kind}

        async def send(message: Any) -> None:
            happened.append(message["type"])

        living = asyncio.create_task(application({"type": "lifespan"}, receive, send))
        while len(happened) < 2:
            await asyncio.sleep(0)
        assert happened == ["start", "lifespan.startup.complete"]
        ended.set()
        await living
        assert happened[2:] == ["stop", "lifespan.shutdown.complete"]

    run(test())


def test_a_node_that_cannot_start_is_said_to_the_server(
    run: Run, reader: Reader, application: "Application", monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("no threads")

    monkeypatch.setattr(reader.process, "start", fail)

    async def test() -> None:
        exchange = Exchange({"type": "lifespan.startup"})
        with pytest.raises(RuntimeError, match="no threads"):
            await exchange.call(application, {"type": "lifespan"})
        assert exchange.sent == []

    run(test())


def test_a_websocket_is_refused_without_harm(run: Run, application: "Application") -> None:
    async def test() -> None:
        async with all_threads_ended(application):
            for path in ("/", "/livez", "/healthcheck"):
                scope = make_scope(path, type="websocket", scheme="ws", subprotocols=[])
                del scope["method"]
                exchange = Exchange({"type": "websocket.connect"})
                await exchange.call(application, scope)
                assert [message["type"] for message in exchange.sent] == ["websocket.close"]
            assert (await ask(application, "/orgs/Netflix")).status == 200

    run(test())


@pytest.mark.parametrize("path", ["/livez", "/healthcheck", "/orgs/Netflix", "/nothing"])
def test_a_request_s_id_comes_back_or_it_is_given_one(
    run: Run, reader: Reader, application: "Application", path: str
) -> None:
    async def test() -> None:
        async with all_threads_ended(application):
            given = []
            for sent in (b"abc-123", b"two words", b""):
                fields = [(b"host", b"a.test"), (b"x-request-id", sent)]
                given.append((await ask(application, path, headers=fields)).value("x-request-id"))
            assert given[0] == "abc-123"
            assert len(set(given)) == 3
            assert "two words" not in given

    run(test())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_checks_are_counted_and_logged(
    run: Run, reader: Reader, application: "Application", method: str
) -> None:

    async def test() -> None:
        for path in ("/livez", "/healthcheck", "/livez"):
            await ask(application, path, method)

    run(test())
    measures, _, _ = reader.bench.reporter.node()
    assert measures.of(Measure.REQUESTS) == {
        ("/livez", "own", "200"): 2,
        ("/healthcheck", "unavailable", "503"): 1,
    }
    lines = reader.bench.telemetry.access_log._waiting
    assert [(one.method, one.path, one.status) for one in lines] == [
        (method, "/livez", 200),
        (method, "/healthcheck", 503),
        (method, "/livez", 200),
    ]
    assert {one.client for one in lines} == {"192.0.2.7"}


@pytest.mark.parametrize("path", ["/livez", "/orgs/Netflix", "/nonsense"])
def test_date_is_the_time_that_age_is_made_with(
    reader: Reader, application: "Application", run: Run, path: str
) -> None:
    async def talk() -> None:
        async with all_threads_ended(application):
            sent = await ask(application, path)
        dates = [value for name, value in sent.fields if name == "date"]
        assert dates == [http_date(reader.bench.clock.now)]

    run(talk())
