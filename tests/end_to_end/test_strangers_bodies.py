"""What strangers send as bodies costs next to nothing, and holds nobody up."""

import asyncio
import hashlib
import hmac
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from urllib.parse import urlsplit

import pytest
import requests

from reader.bodies.body_reader import LINGER
from reader.webhooks.receiver import MAX_BYTES
from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.short_timeouts import BODY_DEADLINE
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.webhooks import star
from tests.http_client import Connection, ConnectionClosed, request
from tests.waiting import eventually

SECRET = "s3cret"
TOKEN = "an-admin-token-of-24-chars"
WEBHOOK = "/webhooks/github"
MEGABYTE = 1024 * 1024
LARGE = 5 * MEGABYTE
GUESS = {"X_Hub_Signature_256": "sha256=" + "0" * 64, "X_GitHub_Event": "push"}
DRIPPERS = 300
# Fewer threads than there are clients that drip into a body that somebody wants.
SETTINGS = {"GITHUB_WEBHOOK_SECRET": SECRET, "ADMIN_TOKEN": TOKEN, "READER_THREADS": 100}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with (
        FakeGitHubProcess(anonymous_limit=1_000_000) as github,
        Fleet(folder, github.url, **SETTINGS) as running,
    ):
        running.worker()
        yield running


@pytest.fixture(scope="module")
def reader(fleet: Fleet) -> Reader:
    """As the Procfile starts it."""
    return fleet.healthy_reader()


@pytest.fixture(scope="module")
def impatient(fleet: Fleet) -> Reader:
    """The same, except that it waits for seconds only."""
    worker = "tests.end_to_end.short_timeouts.ShortTimeoutWorker"
    return fleet.healthy_reader("--worker-class", worker)


@pytest.fixture(scope="module")
def flask_reader(fleet: Fleet) -> Reader:
    """The Flask application alone."""
    return fleet.flask_reader()


def _webhook(**fields: str) -> bytes:
    """The head of a delivery with a well-formed signature that is no secret's."""
    return request(WEBHOOK, method="POST", **{**GUESS, "X_GitHub_Delivery": "a-1", **fields})


@pytest.mark.parametrize("is_well_formed", [False, True], ids=["unsigned", "badly signed"])
def test_many_large_bodies_at_once_do_not_fill_the_memory(
    reader: Reader, is_well_formed: bool
) -> None:
    length = str(LARGE)
    head = (
        _webhook(Content_Length=length)
        if is_well_formed
        else request(WEBHOOK, method="POST", Content_Length=length)
    )
    data = head + b"x" * LARGE
    true_ones: list[tuple[int, float]] = []

    def deliver() -> None:
        began = time.monotonic()
        true_ones.append((_deliver(reader), time.monotonic() - began))

    with _grows_at_most(reader, 80 * MEGABYTE), _again_and_again(deliver, every=0.1):
        statuses = asyncio.run(_send_all(reader.url, data, 240))
        assert set(statuses) <= {401, 503, None}
        assert reader.get("/orgs/Netflix").status_code == 200
        time.sleep(0.2)
    assert {status for status, _ in true_ones} == {202}
    assert max(seconds for _, seconds in true_ones) < 2


def test_dripping_bodies_hold_nobody_up(reader: Reader) -> None:
    forms = {"Content_Type": "application/x-www-form-urlencoded", "Content_Length": "5000"}
    heads = [
        _webhook(Content_Length="5000"),
        request("/status/refresh", method="POST", Authorization=f"Bearer {TOKEN}", **forms),
        request("/status/sign-in", method="POST", **forms),
        request("/users/never", Content_Length="5000"),
        request("/orgs/Netflix", method="POST", Content_Length="5000"),
    ]
    numbers = count()
    asked: dict[str, Callable[[], int]] = {
        "miss": lambda: reader.get(f"/users/anybody-{next(numbers)}").status_code,
        "status": lambda: reader.get("/status").status_code,
        "metrics": lambda: reader.get("/metrics").status_code,
        "webhook": lambda: _deliver(reader),
    }
    expected = {"miss": 404, "status": 200, "metrics": 200, "webhook": 202}
    with _dripping(reader, heads, DRIPPERS):
        for _ in range(4):
            for name, ask in asked.items():
                began = time.monotonic()
                assert ask() == expected[name], name
                assert time.monotonic() - began < 2, name
            time.sleep(0.5)


def test_a_body_has_one_deadline_however_it_drips(impatient: Reader) -> None:
    with Connection(impatient.url) as client:
        client.send(_webhook(Content_Length="5000"))
        began = time.monotonic()
        with _again_and_again(lambda: client.send(b"x"), every=0.2):
            answered = client.receive()
            assert answered.status == 408
            assert answered.headers["connection"] == "close"
            assert BODY_DEADLINE - 1 < time.monotonic() - began < BODY_DEADLINE + 2
            with suppress(ConnectionClosed):
                client.receive()
            assert time.monotonic() - began < BODY_DEADLINE + 4


@pytest.mark.parametrize(
    ("left_out", "status"),
    [("X_Hub_Signature_256", 401), ("X_GitHub_Event", 400), ("X_GitHub_Delivery", 400)],
)
@pytest.mark.parametrize("expects", [False, True])
def test_a_webhook_without_its_fields_is_refused_before_its_body(
    reader: Reader, left_out: str, status: int, expects: bool
) -> None:
    fields = {**GUESS, "X_GitHub_Delivery": "a-1", "Content_Length": "5000000"}
    del fields[left_out]
    more = {"Expect": "100-continue"} if expects else {}
    with Connection(reader.url, timeout=60) as client:
        answered = client.ask(WEBHOOK, method="POST", **fields, **more)
        assert answered.status == status  # and no 100 before it
        assert answered.headers["connection"] == "close"
        assert answered.headers["access-control-allow-origin"] == "*"
        assert client.is_closed()


def test_a_client_that_waits_to_be_told_to_go_on_is_told_when_its_body_is_wanted(
    reader: Reader,
) -> None:
    body, headers = star(SECRET)
    with Connection(reader.url, timeout=60) as client:
        length = {"Content-Length": str(len(body)), "Expect": "100-continue"}
        client.send(request(WEBHOOK, method="POST", **headers, **length))
        assert client.receive().status == 100
        client.send(body)
        assert client.receive().status == 202
        assert client.ask("/orgs/Netflix").status == 200  # on the same connection


@pytest.mark.parametrize(
    ("path", "declared"),
    [
        ("/users/with-a-body", {"Transfer_Encoding": "chunked"}),
        ("/metrics", {"Content_Length": "50"}),
        ("/livez", {"Content_Length": "50000000"}),
    ],
)
def test_a_get_is_answered_without_its_body(
    reader: Reader, path: str, declared: dict[str, str]
) -> None:
    with Connection(reader.url, timeout=60) as client:
        began = time.monotonic()
        assert client.ask(path, **declared).status in {200, 404}
        assert client.is_closed()
        assert time.monotonic() - began < 30


def test_the_body_of_a_get_is_not_taken_while_it_waits(fleet: Fleet, reader: Reader) -> None:
    """The kernel's buffers fill, and then the client cannot send more."""
    head = request("/users/large", Content_Length=str(400 * MEGABYTE))
    with _grows_at_most(reader, 20 * MEGABYTE), Connection(reader.url, timeout=60) as client:
        client.send(head)
        with suppress(OSError):
            client.send(b"x" * 400 * MEGABYTE)
        assert client.receive().status == 404


def test_a_small_body_of_a_get_leaves_its_connection_open(reader: Reader) -> None:
    def is_kept() -> bool:
        """Whether it is. False if the body came too late, on a busy machine."""
        began = time.monotonic()
        try:
            with Connection(reader.url) as client:
                for _ in range(3):
                    client.send(request("/users/with-a-body", Content_Length="5"))
                    began = time.monotonic()
                    assert client.receive().status == 404
                    client.send(b"12345")
                return client.ask("/orgs/Netflix").status == 200
        except ConnectionError:
            if time.monotonic() - began < LINGER:
                raise
            return False

    eventually(is_kept)


@pytest.mark.parametrize("which", ["reader", "flask_reader"])
def test_a_signed_body_may_come_in_many_chunks(which: str, request: pytest.FixtureRequest) -> None:
    found: Reader = request.getfixturevalue(which)
    body, headers = star(SECRET)
    pieces = (body[at : at + 3] for at in range(0, len(body), 3))
    answered = requests.post(found.url + WEBHOOK, data=pieces, headers=headers, timeout=60)
    assert answered.status_code == 202
    assert answered.json() == {"refreshing": ["/orgs/Netflix/repos"]}


@pytest.mark.parametrize("which", ["reader", "flask_reader"])
def test_a_large_signed_body_is_taken(which: str, request: pytest.FixtureRequest) -> None:
    found: Reader = request.getfixturevalue(which)
    body, headers = star(SECRET)
    body = body.ljust(MAX_BYTES)
    headers["X-Hub-Signature-256"] = (
        "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    )
    answered = requests.post(found.url + WEBHOOK, data=body, headers=headers, timeout=60)
    assert answered.status_code == 202


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(reader: Reader) -> None:
    piece = b"%x\r\n" % 65536 + b"x" * 65536 + b"\r\n"
    with Connection(reader.url, timeout=60) as client:
        client.send(_webhook(Transfer_Encoding="chunked"))
        with suppress(ConnectionError):  # the end that comes while it sends
            for _ in range(MAX_BYTES // 65536 + 1):
                client.send(piece)
        answered = client.receive()
        assert answered.status == 413
        assert answered.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (_webhook, MAX_BYTES + 1),
        (
            lambda **known: request(
                "/status/sign-in",
                method="POST",
                Content_Type="application/x-www-form-urlencoded",
                **known,
            ),
            100_000,
        ),
    ],
    ids=["webhook", "form"],
)
def test_a_length_that_is_too_large_is_refused_at_once(
    reader: Reader, head: Callable[..., bytes], length: int
) -> None:
    with Connection(reader.url, timeout=60) as client:
        client.send(head(Content_Length=str(length)))
        assert client.receive().status == 413


def test_without_a_proof_a_form_is_refused_before_it_comes(reader: Reader) -> None:
    with Connection(reader.url, timeout=60) as client:
        form = {"Content_Type": "application/x-www-form-urlencoded", "Content_Length": "500"}
        assert client.ask("/status/pause", method="POST", **form).status == 401


@pytest.mark.parametrize("which", ["reader", "flask_reader"])
def test_an_operators_forms_are_taken(which: str, request: pytest.FixtureRequest) -> None:
    found: Reader = request.getfixturevalue(which)
    with requests.Session() as session:
        sign_in, form = f"{found.url}/status/sign-in", {"token": TOKEN}
        answered = session.post(sign_in, data=form, allow_redirects=False, timeout=60)
        assert answered.status_code == 303
        assert "Sign out" in session.get(f"{found.url}/status", timeout=60).text
    answered = requests.post(
        f"{found.url}/status/refresh",
        data={"resource": "/orgs/Netflix"},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=60,
    )
    assert answered.status_code == 202


def _deliver(reader: Reader) -> int:
    body, headers = star(SECRET)
    url = reader.url + WEBHOOK
    return requests.post(url, data=body, headers=headers, timeout=60).status_code


async def _send_all(url: str, data: bytes, number: int) -> list[int | None]:
    """Send the same on many connections at once; the statuses, None for an end without one."""
    address = urlsplit(url)

    async def send() -> int | None:
        try:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
        except ConnectionError:
            return None
        try:
            writer.write(data)
            async with asyncio.timeout(60):
                return int((await reader.readline()).split()[1])
        except (ConnectionError, IndexError):
            return None
        finally:
            writer.close()

    return await asyncio.gather(*(send() for _ in range(number)))


@contextmanager
def _dripping(reader: Reader, heads: list[bytes], number: int) -> Iterator[None]:
    """So many clients, each with a body of which one byte comes in a second; new ones for old."""
    with ExitStack() as stack:
        clients: list[Connection] = []

        def begin(index: int) -> Connection:
            client = stack.enter_context(Connection(reader.url))
            client.send(heads[index % len(heads)] + b"x")
            return client

        def drip() -> None:
            for index, client in enumerate(clients):
                try:
                    client.send(b"x")
                except ConnectionError:
                    client.close()
                    clients[index] = begin(index)

        clients += [begin(index) for index in range(number)]
        with _again_and_again(drip, every=1.0):
            yield


@contextmanager
def _again_and_again(does: Callable[[], object], *, every: float) -> Iterator[None]:
    """Do something beside the block, until its end or a closed connection."""
    ends = threading.Event()

    def run() -> None:
        with suppress(OSError):
            while not ends.wait(every):
                does()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


@contextmanager
def _grows_at_most(reader: Reader, size: int) -> Iterator[None]:
    """The reader's memory never grows by more bytes than so many during the block."""
    (process,) = reader.processes()
    before = process.memory_info().rss
    most = Counter(rss=before)

    def state() -> None:
        most["rss"] = max(most["rss"], process.memory_info().rss)

    with _again_and_again(state, every=0.02):
        yield
    print(f"grew by {(most['rss'] - before) / MEGABYTE:.1f} MB")
    assert most["rss"] - before < size
