"""One connection, without a loop: what is answered, handed over, bounded and counted."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from gunicorn.asgi.protocol import ASGIProtocol
from hypothesis import given
from hypothesis import strategies as st

from reader.front import connection as module
from reader.front.connection_limits import LINGER, REQUEST_TIMEOUT, STALL_TIMEOUT
from reader.response.response import CORS_HEADERS
from reader.telemetry.counters import Counters, LocalCounters, RequestLabels, Route
from shared.buffers import Buffers
from shared.measures import SUM, Measure
from shared.outcomes import Served
from tests.builders import JSON, NOW, make_entry, on_demand, tracked
from tests.reader.front.fakes import HIGH, FakeTransport, FakeWorker
from tests.reader.front.helpers import END, Reader, a_reader, make_head

LARGE = b"1" * 100_000
HUGE = b"2" * 1_000_000
MANY = b"".join(b"%06d" % number for number in range(150_000))
PLACES = range(0, len(MANY), 9000)
ROOT, NETFLIX = make_head("/"), make_head("/orgs/Netflix")
LARGE_ONE, HUGE_ONE = make_head("/users/large"), make_head("/users/huge")
MANY_ONE = make_head("/users/many")
NOT_HELD = make_head("/users/octocat")
SECOND = 1.5  # of a tick, and a bit


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with a_reader() as made:
        local = made.bench.local
        local.put(tracked("/"), make_entry(b'"root"'), NOW)
        local.put(tracked("/orgs/Netflix"), make_entry(b'"netflix"'), NOW)
        local.put(on_demand("/users/large"), make_entry(LARGE), NOW)
        local.put(on_demand("/users/huge"), make_entry(HUGE), NOW)
        many = replace(make_entry(MANY), body=Buffers([MANY[at : at + 9000] for at in PLACES]))
        local.put(on_demand("/users/many"), many, NOW)
        yield made


@pytest.fixture
def worker(reader: Reader) -> FakeWorker:
    return FakeWorker(reader.responses())


class StubBorrowed:
    """Stands for gunicorn: keeps what it is given, and gives back when the test says so."""

    all: list["StubBorrowed"]

    def __init__(
        self, worker: FakeWorker, *, give_back: Callable[[bytes], None], lost: Callable[[], None]
    ) -> None:
        self.worker = worker
        self.give_back = give_back
        self.lost = lost
        self.received = b""
        self.awaits_head = False
        self.heard_at = worker.now
        self.transport: Any = None
        self.all.append(self)

    def connection_made(self, transport: FakeTransport) -> None:
        self.transport = transport
        self.worker.nr_conns += 1
        assert transport.protocol is self

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.worker.nr_conns -= 1
        self.lost()

    def pause_writing(self) -> None:
        """As gunicorn: whoever writes waits."""

    def resume_writing(self) -> None:
        """As gunicorn: whoever writes goes on."""


@pytest.fixture
def borrowed(monkeypatch: pytest.MonkeyPatch) -> list[StubBorrowed]:
    """Everything that was handed over, in order."""
    StubBorrowed.all = []
    monkeypatch.setattr(module, "GunicornProtocol", StubBorrowed)
    return StubBorrowed.all


def bodies(written: bytes) -> list[bytes]:
    """The bodies of the answers, in order; all of them must be 200 and complete."""
    found = []
    while written:
        head, _, rest = written.partition(END)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
        [length] = [
            int(line.split(b": ")[1])
            for line in head.split(b"\r\n")
            if line.startswith(b"Content-Length: ")
        ]
        assert len(rest) >= length
        found.append(rest[:length])
        written = rest[length:]
    return found


def refusal(written: bytes) -> tuple[int, dict[str, str], str]:
    """Status, fields and message of the one answer, which must be in GitHub's form."""
    head, _, body = written.partition(END)
    first, *lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    assert fields["Content-Length"] == str(len(body))
    assert fields["Content-Type"] == JSON
    assert fields["Cache-Control"] == "no-store"
    assert fields["Connection"] == "close"
    assert fields["Date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    assert CORS_HEADERS.items() <= fields.items()
    status = int(first.split(" ")[1])
    said = json.loads(body)
    assert said["status"] == str(status)
    return status, fields, said["message"]


# In order, and whole.


def test_a_request_is_answered(worker: FakeWorker) -> None:
    client = worker.connect()
    client.receive(ROOT)
    assert bodies(client.written) == [b'"root"']
    assert not client.closing


def test_requests_one_after_the_other_are_answered(worker: FakeWorker) -> None:
    client = worker.connect()
    for _ in range(3):
        client.receive(ROOT)
        client.receive(NETFLIX)
    assert bodies(client.written) == [b'"root"', b'"netflix"'] * 3


def test_pipelined_requests_are_answered_in_order(worker: FakeWorker) -> None:
    client = worker.connect()
    client.receive((ROOT + NETFLIX + LARGE_ONE) * 3)
    assert bodies(client.written) == [b'"root"', b'"netflix"', LARGE] * 3


def test_a_request_is_answered_however_it_is_cut(worker: FakeWorker) -> None:
    client = worker.connect()
    for byte in ROOT + NETFLIX:
        client.receive(bytes([byte]))
    assert bodies(client.written) == [b'"root"', b'"netflix"']


@given(st.lists(st.sampled_from([ROOT, NETFLIX, LARGE_ONE]), min_size=1, max_size=5), st.data())
def test_requests_are_answered_in_order_however_they_are_cut(
    reader: Reader, requests: list[bytes], data: st.DataObject
) -> None:
    client = FakeWorker(reader.responses()).connect()
    stream = b"".join(requests)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6).map(sorted))
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if begin < end:
            client.receive(stream[begin:end])
    wanted = {ROOT: b'"root"', NETFLIX: b'"netflix"', LARGE_ONE: LARGE}
    assert bodies(client.written) == [wanted[request] for request in requests]


def test_nothing_is_answered_before_a_request_is_whole(worker: FakeWorker) -> None:
    client = worker.connect()
    client.receive(ROOT + NETFLIX[:-1])
    assert bodies(client.written) == [b'"root"']
    client.receive(NETFLIX[-1:] + ROOT[:10])
    assert bodies(client.written) == [b'"root"', b'"netflix"']


def test_a_small_answer_is_one_write_and_a_large_body_is_not_copied(
    worker: FakeWorker, reader: Reader
) -> None:
    client = worker.connect()
    client.receive(ROOT)
    assert len(client.writes) == 1
    client.receive(LARGE_ONE)
    held = reader.bench.local.peek(on_demand("/users/large"))
    assert held is not None
    assert client.writes[2] is held.entry.body


def test_each_connection_gets_the_answers_of_its_kind(worker: FakeWorker) -> None:
    worker.connect()
    worker.connect(peername=("::1", 4000, 0, 0), ssl_object=object())
    worker.connect(peername="")
    assert worker.asked == [("192.0.2.7", "http"), ("::1", "https"), ("", "http")]


# Handed over.

ODD = {
    "not held": NOT_HELD,
    "another method": make_head("/", method="OPTIONS"),
    "a body": make_head("/", "Content-Length: 3", method="POST") + b"a=b",
    "a GET with a body": make_head("/", "Content-Length: 3") + b"a=b",
    "chunked": make_head("/", "Transfer-Encoding: chunked") + b"3\r\na=b\r\n0\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "a WebSocket": make_head("/", "Connection: Upgrade", "Upgrade: websocket"),
    "a range": make_head("/", "Range: bytes=0-1"),
    "nonsense": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "bare line feeds": b"GET / HTTP/1.1\nHost: a.test\n\n",
    "an empty line before it": b"\r\n" + ROOT,
    "half of nonsense": b"get / HTTP",
    "folded": make_head("/", "X-A: a\r\n b"),
    "health": make_head("/livez"),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("before", [b"", ROOT, ROOT + NETFLIX])
@pytest.mark.parametrize("behind", [b"", ROOT, b"GET /or", NOT_HELD + b"x"])
def test_what_is_odd_is_handed_over_with_all_behind_it(
    worker: FakeWorker, borrowed: list[StubBorrowed], odd: bytes, before: bytes, behind: bytes
) -> None:
    client = worker.connect()
    client.receive(before + odd + behind)
    assert len(bodies(client.written)) == before.count(END)
    [gunicorn] = borrowed
    assert gunicorn.received == odd + behind
    assert client.protocol is gunicorn
    assert client.reading
    client.receive(b"more")
    assert gunicorn.received == odd + behind + b"more"


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_is_odd_is_handed_over_byte_for_byte(
    worker: FakeWorker, borrowed: list[StubBorrowed], odd: bytes
) -> None:
    client = worker.connect()
    for byte in odd:
        client.receive(bytes([byte]))
    [gunicorn] = borrowed
    assert gunicorn.received == odd
    assert client.written == b""


def test_a_connection_that_is_given_back_is_answered_again(
    worker: FakeWorker, borrowed: list[StubBorrowed]
) -> None:
    client = worker.connect()
    front = client.protocol
    client.receive(ROOT + NOT_HELD)
    for turn in range(3):
        borrowed[turn].give_back(b"")
        assert client.protocol is front
        client.receive(NETFLIX)
        client.receive(NOT_HELD)
        assert borrowed[turn + 1].received == NOT_HELD
    assert bodies(client.written) == [b'"root"', b'"netflix"', b'"netflix"', b'"netflix"']


def test_what_is_given_back_with_the_connection_is_not_lost(
    worker: FakeWorker, borrowed: list[StubBorrowed]
) -> None:
    client = worker.connect()
    client.receive(NOT_HELD)
    borrowed[0].give_back(NETFLIX + ROOT[:10])
    client.receive(ROOT[10:] + NOT_HELD)
    assert bodies(client.written) == [b'"netflix"', b'"root"']
    borrowed[1].give_back(NOT_HELD)
    assert [one.received for one in borrowed] == [NOT_HELD] * 3


def test_a_connection_given_back_to_a_client_that_takes_nothing_is_not_read(
    worker: FakeWorker, borrowed: list[StubBorrowed]
) -> None:
    client = worker.connect()
    client.receive(NOT_HELD)
    client.room = 0
    client.write(b"x" * (HIGH + 1))
    borrowed[0].give_back(b"")
    assert not client.reading
    client.take()
    assert client.reading
    client.receive(ROOT)
    assert client.written.endswith(b'"root"')


# Flow control.


def test_a_client_that_takes_nothing_is_not_read_from(worker: FakeWorker) -> None:
    client = worker.connect(room=0)
    client.receive(LARGE_ONE)
    assert not client.reading
    client.take()
    assert client.reading
    assert bodies(client.written) == [LARGE]


def test_what_is_pipelined_behind_a_large_answer_waits_for_it(worker: FakeWorker) -> None:
    client = worker.connect(room=0)
    client.receive(LARGE_ONE + NETFLIX + LARGE_ONE + ROOT + ROOT[:9])
    assert bodies(client.written) == [LARGE]
    client.take(10)
    assert bodies(client.written) == [LARGE]
    client.take()
    assert bodies(client.written) == [LARGE, b'"netflix"', LARGE]
    assert not client.reading
    client.take()
    assert bodies(client.written) == [LARGE, b'"netflix"', LARGE, b'"root"']
    assert client.reading
    client.receive(ROOT[9:])
    assert bodies(client.written)[4:] == [b'"root"']


def test_what_is_handed_over_waits_for_the_answers_before_it(
    worker: FakeWorker, borrowed: list[StubBorrowed]
) -> None:
    client = worker.connect(room=0)
    client.receive(LARGE_ONE + NOT_HELD + ROOT)
    assert borrowed == []
    client.take()
    assert borrowed[0].received == NOT_HELD + ROOT
    assert client.reading


def test_a_client_costs_one_answer_and_one_buffer(worker: FakeWorker) -> None:
    client = worker.connect(room=0)
    client.receive(HUGE_ONE * 100)
    assert len(client.written) < 2 * len(HUGE)


class TestAListInPieces:
    """Its buffers are written as the client takes them, and what follows comes after them."""

    def test_costs_a_client_that_takes_nothing_few_of_them(self, worker: FakeWorker) -> None:
        client = worker.connect(room=0)
        client.receive(MANY_ONE * 2)
        assert len(client.writes) <= 32  # buffers
        assert 0 < len(client.written) < len(MANY) / 2

    @pytest.mark.parametrize("step", [10_000, 1_000_000, None])
    def test_is_whole_for_a_client_that_takes_it(
        self, worker: FakeWorker, step: int | None
    ) -> None:
        client = worker.connect(room=0)
        client.receive(MANY_ONE + ROOT + MANY_ONE)
        while client.waiting:
            client.take(step)
        assert bodies(client.written) == [MANY, b'"root"', MANY]
        assert not client.closing

    def test_is_whole_before_the_connection_is_closed(self, worker: FakeWorker) -> None:
        client = worker.connect(room=0)
        client.receive(make_head("/users/many", "Connection: close"))
        assert not client.closing
        while client.waiting:
            client.take(30_000)
        assert client.closing
        client.settle()
        assert bodies(client.written) == [MANY]
        assert worker.nr_conns == 0

    def test_is_whole_for_a_client_that_sends_no_more(self, worker: FakeWorker) -> None:
        client = worker.connect(room=0)
        client.receive(MANY_ONE)
        assert client.protocol.eof_received()
        while client.waiting:
            client.take()
        assert client.closing
        assert bodies(client.written) == [MANY]

    def test_is_dropped_with_a_client_that_takes_nothing(self, worker: FakeWorker) -> None:
        client = worker.connect(room=0)
        client.receive(MANY_ONE)
        worker.wait(STALL_TIMEOUT + 2 * SECOND)
        assert client.aborted


def test_small_answers_are_bounded_together(worker: FakeWorker) -> None:
    client = worker.connect(room=0)
    client.receive(ROOT * 500)
    assert client.waiting < 2 * HIGH
    turns = 0
    while client.waiting:
        client.take()
        turns += 1
    assert bodies(client.written) == [b'"root"'] * 500
    assert turns > 3


def test_a_client_that_pipelines_a_lot_and_reads_is_answered(worker: FakeWorker) -> None:
    client = worker.connect(room=200_000)
    client.receive(ROOT * 3000)
    while client.waiting:
        client.take()
    assert not client.aborted
    assert bodies(client.written) == [b'"root"'] * 3000


def test_pipelined_requests_are_read_once_each_and_not_with_all_behind_them(
    worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = worker.connect()
    responses = client.protocol._responses
    examined: list[int] = []
    find = responses.find

    def watched(request: bytes) -> Any:
        examined.append(len(request))
        return find(request)

    monkeypatch.setattr(responses, "find", watched)
    client.receive(ROOT * 2000)
    assert sum(examined) < 2 * (len(ROOT * 2000) + 8000**2 // len(ROOT))


# The end.


def test_who_asks_for_the_end_gets_it_after_the_answer(worker: FakeWorker) -> None:
    client = worker.connect()
    client.receive(ROOT + make_head("/", "Connection: close") + NETFLIX)
    assert bodies(client.written) == [b'"root"'] * 2
    assert client.written.count(b"Connection: close") == 1
    assert client.closing
    client.settle()
    assert worker.nr_conns == len(worker.connections) == 0


def test_a_closed_connection_still_sends_what_waits(worker: FakeWorker) -> None:
    client = worker.connect(room=0)
    client.receive(make_head("/users/huge", "Connection: close"))
    assert client.closing
    assert not client.aborted
    client.take(10)
    client.settle()
    assert not client.lost
    client.take()
    client.settle()
    assert client.lost
    assert bodies(client.written) == [HUGE]


def test_a_draining_worker_announces_the_end_with_each_answer(worker: FakeWorker) -> None:
    clients = [worker.connect() for _ in range(4)]
    clients[0].receive(ROOT)
    worker.alive = False
    clients[0].receive(ROOT)
    clients[1].receive(make_head("/", "Connection: close"))
    clients[2].receive(LARGE_ONE)
    clients[3].receive(make_head("/", method="HEAD"))
    for client in clients:
        assert client.written.count(b"\r\nConnection: close\r\n") == 1
        assert client.closing
    assert bodies(clients[0].written) == [b'"root"'] * 2
    assert bodies(clients[2].written) == [LARGE]
    assert clients[3].written.endswith(b"Connection: close" + END)


def test_a_body_that_looks_like_a_head_stays_whole_when_the_end_is_announced(
    worker: FakeWorker, reader: Reader
) -> None:
    body = b'"a' + END + b'b"'
    reader.bench.local.put(on_demand("/users/odd"), make_entry(body), NOW)
    worker.alive = False
    client = worker.connect()
    client.receive(make_head("/users/odd"))
    assert client.written.endswith(b"\r\nConnection: close" + END + body)


def test_a_client_that_will_send_nothing_more_gets_what_it_asked_for(worker: FakeWorker) -> None:
    client = worker.connect(room=0)
    client.receive(LARGE_ONE + ROOT[:5])
    client.take()
    assert client.protocol.eof_received() is True
    assert client.closing
    assert not client.aborted
    assert bodies(client.written) == [LARGE]


def test_nothing_happens_to_a_closed_connection_that_becomes_writable(worker: FakeWorker) -> None:
    client = worker.connect(room=0)
    client.receive(make_head("/users/huge", "Connection: close"))
    client.take()
    assert not client.reading
    assert bodies(client.written) == [HUGE]


# Bounded in size.


def test_a_head_without_an_end_is_refused(worker: FakeWorker) -> None:
    client = worker.connect()
    client.receive(b"GET / HTTP/1.1\r\n")
    for _ in range(100):
        if client.closing:
            break
        client.receive(b"X-A: " + b"a" * 500 + b"\r\n")
    assert client.closing
    status, _, _ = refusal(client.written)
    assert status == 431


def test_a_head_without_an_end_that_comes_at_once_is_refused(worker: FakeWorker) -> None:
    client = worker.connect()
    client.receive(b"GET /" + b"a" * 100_000)
    assert refusal(client.written)[0] == 431
    assert not client.aborted


# Bounded in time.


def test_a_client_that_never_sends_anything_is_let_go(worker: FakeWorker) -> None:
    client = worker.connect()
    worker.wait(REQUEST_TIMEOUT)
    assert not client.closing
    worker.wait(SECOND)
    assert client.closing
    assert client.written == b""


def test_half_a_request_is_refused_in_the_end(worker: FakeWorker) -> None:
    client = worker.connect()
    client.receive(ROOT[:10])
    worker.wait(REQUEST_TIMEOUT)
    assert not client.closing
    worker.wait(SECOND)
    status, _, message = refusal(client.written)
    assert status == 408
    assert message == "The request did not arrive in time."
    assert client.lost


def test_a_request_that_drips_in_is_refused_in_the_end(worker: FakeWorker) -> None:
    client = worker.connect()
    client.receive(ROOT)
    worker.wait(30)
    for byte in ROOT[:-1]:
        if client.closing:
            break
        client.receive(bytes([byte]))
        worker.wait(1)
    assert client.closing
    answer = client.written.partition(b'"root"')[2]
    assert refusal(answer)[0] == 408


def test_an_idle_connection_is_kept_for_as_long_as_the_settings_say(worker: FakeWorker) -> None:
    client = worker.connect()
    for _ in range(3):
        client.receive(ROOT)
        worker.wait(75)
        assert not client.closing
    worker.wait(SECOND)
    assert client.closing
    assert bodies(client.written) == [b'"root"'] * 3


def test_an_idle_connection_is_let_go_soon_when_the_worker_ends(worker: FakeWorker) -> None:
    client, fresh = worker.connect(), worker.connect()
    client.receive(ROOT)
    worker.alive = False
    worker.wait(LINGER)
    assert not client.closing
    worker.wait(SECOND)
    assert client.closing
    assert fresh.closing
    assert bodies(client.written) == [b'"root"']


def test_a_connection_that_was_idle_for_long_is_kept_as_long_as_any_other(
    worker: FakeWorker,
) -> None:
    client = worker.connect()
    client.receive(ROOT)
    worker.wait(60)
    worker.alive, worker.ending_since = False, worker.now
    worker.wait(LINGER)
    client.receive(NETFLIX)
    assert bodies(client.written) == [b'"root"', b'"netflix"']
    assert client.written.count(b"Connection: close") == 1


def test_a_request_that_comes_while_the_worker_ends_is_served(worker: FakeWorker) -> None:
    client = worker.connect()
    client.receive(ROOT)
    worker.alive = False
    worker.wait(2)
    client.receive(NETFLIX)
    assert bodies(client.written) == [b'"root"', b'"netflix"']


def test_a_client_that_takes_nothing_is_let_go(worker: FakeWorker) -> None:
    client = worker.connect(room=0)
    client.receive(HUGE_ONE)
    worker.wait(STALL_TIMEOUT)
    assert not client.aborted
    worker.wait(2 * SECOND)
    assert client.aborted
    client.settle()
    assert worker.nr_conns == len(worker.connections) == 0


def test_a_client_that_is_slow_but_moves_is_served_for_as_long_as_it_takes(
    worker: FakeWorker,
) -> None:
    client = worker.connect(room=0)
    client.receive(make_head("/users/huge", "Connection: close"))
    while client.waiting:
        worker.wait(STALL_TIMEOUT - 1)
        assert not client.aborted
        client.take(20_000)
    client.settle()
    assert worker.now > 2000
    assert bodies(client.written) == [HUGE]


def test_a_client_that_took_all_at_last_is_as_patiently_waited_for_as_any(
    worker: FakeWorker,
) -> None:
    client = worker.connect(room=0)
    client.receive(HUGE_ONE)
    worker.wait(50)
    client.take()
    worker.wait(75)
    assert not client.closing
    worker.wait(SECOND)
    assert client.closing


def test_a_closed_connection_that_is_not_taken_from_is_let_go(worker: FakeWorker) -> None:
    client = worker.connect(room=0)
    client.receive(make_head("/users/huge", "Connection: close"))
    worker.wait(STALL_TIMEOUT + 2 * SECOND)
    assert client.aborted


def test_a_request_that_the_application_works_on_is_waited_for(
    worker: FakeWorker, borrowed: list[StubBorrowed]
) -> None:
    client = worker.connect()
    client.receive(NOT_HELD)
    worker.wait(1000)
    assert not client.closing
    borrowed[0].give_back(b"")
    worker.wait(75)
    assert not client.closing
    worker.wait(SECOND)
    assert client.closing


def test_half_a_request_that_was_handed_over_is_ended(
    worker: FakeWorker, borrowed: list[StubBorrowed]
) -> None:
    client = worker.connect()
    client.receive(b"\r\nPOST / HTTP/1.1\r\n")
    borrowed[0].awaits_head = True
    worker.wait(REQUEST_TIMEOUT)
    assert not client.closing
    worker.wait(SECOND)
    assert client.closing


def test_a_client_that_takes_nothing_of_what_was_handed_over_is_let_go(
    worker: FakeWorker, borrowed: list[StubBorrowed]
) -> None:
    client = worker.connect(room=0)
    client.receive(NOT_HELD)
    client.write(HUGE)
    worker.wait(STALL_TIMEOUT + 2 * SECOND)
    assert client.aborted
    client.settle()
    assert worker.nr_conns == len(worker.connections) == 0


# Bounded in number.


def test_where_there_are_too_many_the_oldest_idle_one_makes_room(reader: Reader) -> None:
    worker = FakeWorker(reader.responses(), limit=3)
    busy = worker.connect()
    busy.receive(ROOT[:5])
    oldest, other = worker.connect(), worker.connect()
    newest = worker.connect()
    assert oldest.closing
    assert not any(one.closing for one in (busy, other, newest))
    assert len(worker.connections) == 3
    newest.receive(ROOT)
    assert bodies(newest.written) == [b'"root"']
    oldest.settle()
    assert worker.nr_conns == len(worker.connections) == 3


def test_where_none_is_idle_a_client_is_sent_away(
    reader: Reader, borrowed: list[StubBorrowed]
) -> None:
    worker = FakeWorker(reader.responses(), limit=3)
    half, waiting, stalled = worker.connect(), worker.connect(), worker.connect(room=0)
    half.receive(ROOT[:5])
    waiting.receive(NOT_HELD)
    stalled.receive(LARGE_ONE)
    one_more = worker.connect()
    status, fields, message = refusal(one_more.written)
    assert (status, fields["Retry-After"]) == (503, "1")
    assert message == "Too many connections."
    assert one_more.closing
    assert not any(one.closing for one in (half, waiting, stalled))
    one_more.settle()
    assert worker.nr_conns == len(worker.connections) == 3
    half.receive(ROOT[5:])
    assert not worker.connect().closing
    assert half.closing


# Counted.


def test_every_request_counts(worker: FakeWorker) -> None:
    client = worker.connect()
    client.receive(ROOT * 3 + NETFLIX[:5])
    assert worker.nr == 3


def test_the_answer_that_ends_the_worker_announces_the_end(worker: FakeWorker) -> None:
    worker.max_requests = 2
    client = worker.connect()
    client.receive(ROOT * 3)
    assert bodies(client.written) == [b'"root"'] * 2
    assert client.written.count(b"Connection: close") == 1
    assert client.closing


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("given_back", [False, True])
def test_connections_are_counted_once_through_every_hand_over(
    worker: FakeWorker, borrowed: list[StubBorrowed], turns: int, given_back: bool
) -> None:
    client = worker.connect()
    for turn in range(turns):
        if turn:
            borrowed[-1].give_back(b"")
            assert worker.nr_conns == len(worker.connections) == 1
        client.receive(NOT_HELD)
        assert worker.nr_conns == len(worker.connections) == 1
    if given_back:
        borrowed[-1].give_back(b"")
    client.lose()
    assert worker.nr_conns == len(worker.connections) == 0


@pytest.mark.parametrize(
    "state", [b"", ROOT, ROOT[:5], HUGE_ONE + ROOT, make_head("/", "Connection: close")]
)
def test_a_lost_connection_is_not_counted_whatever_it_was_doing(
    worker: FakeWorker, state: bytes
) -> None:
    client = worker.connect(room=0)
    if state:
        client.receive(state)
    assert worker.nr_conns == len(worker.connections) == 1
    client.lose()
    assert worker.nr_conns == len(worker.connections) == 0
    worker.wait(200)


def test_what_stands_for_gunicorn_here_has_the_methods_of_its_protocol() -> None:
    methods = [name for name in vars(StubBorrowed) if not name.startswith("__") and name != "all"]
    assert [name for name in methods if not hasattr(ASGIProtocol, name)] == []


# Named, counted, logged.


def request_ids(written: bytes) -> list[bytes]:
    """The ids of all answers, in order."""
    return re.findall(rb"\r\nX-Request-Id: ([^\r]*)\r\n", written)


def test_every_hit_has_an_id_of_its_own(worker: FakeWorker) -> None:
    worker.responses_for(peer="", scheme="")._new_id = worker.telemetry.ids.new
    clients = [worker.connect() for _ in range(3)]
    for _ in range(10):
        for client in clients:
            client.receive(ROOT + NETFLIX)
    given = [one for client in clients for one in request_ids(client.written)]
    assert len(set(given)) == len(given) == 60
    assert all(re.fullmatch(rb"[0-9a-f]{16}-[0-9a-f]+", one) for one in given)


def test_a_client_s_id_comes_back_and_stays_with_its_request(worker: FakeWorker) -> None:
    client = worker.connect()
    sent = [b"a", b"abc-123", b"z" * 128]
    for one in sent:
        client.receive(ROOT + make_head("/", f"X-Request-Id: {one.decode()}") + ROOT)
    found = request_ids(client.written)
    assert found[1::3] == sent
    assert not set(found[0::3] + found[2::3]) & set(sent)
    assert bodies(client.written) == [b'"root"'] * 9


def test_a_refusal_has_an_id_and_is_counted(worker: FakeWorker) -> None:
    client = worker.connect()
    client.receive(b"GET /" + b"a" * 100_000)
    _, fields, _ = refusal(client.written)
    assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]+", fields["X-Request-Id"])
    assert counted(worker.local_counters) == {RequestLabels(Route.OTHER, Served.REFUSED, 431): 1}


def test_who_finds_no_room_is_counted(reader: Reader) -> None:
    worker = FakeWorker(reader.responses(), limit=1)
    worker.connect(room=0).receive(HUGE_ONE)
    assert refusal(worker.connect().written)[0] == 503
    assert counted(worker.local_counters) == {
        RequestLabels(Route.OTHER, Served.UNAVAILABLE, 503): 1
    }


def counted(local_counters: LocalCounters) -> dict[RequestLabels, int]:
    """How many answers of each kind were counted, which also are in the histogram."""
    counters = Counters()
    taken = local_counters.take()
    counters.add(taken)
    requests = {counter.labels: counter.requests for counter in taken}
    timed = sum(
        number
        for (measure, labels), number in counters.counts().items()
        if measure is Measure.REQUEST_SECONDS and SUM not in labels
    )
    assert timed == sum(requests.values())
    assert all(counter.seconds >= sum(counter.slow) for counter in taken)
    return {labels: number for labels, number in requests.items() if number}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ROOT, NETFLIX, LARGE_ONE, make_head("/", "X-Request-Id: abc")]),
            st.integers(0, 2),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_each_answer_is_counted_exactly_once(
    reader: Reader, sent: list[tuple[bytes, int, bool]]
) -> None:
    responses = reader.responses()
    worker = FakeWorker(responses)
    clients = [worker.connect() for _ in range(3)]
    kinds = {
        NETFLIX: RequestLabels("/orgs/{org}", Served.LOCAL, 200),
        LARGE_ONE: RequestLabels("on-demand", Served.LOCAL, 200, name="/users/large"),
    }
    expected: Counter[RequestLabels] = Counter()
    found: Counter[RequestLabels] = Counter()
    for request, which, is_end_of_second in sent:
        clients[which].receive(request)
        expected[kinds.get(request, RequestLabels("/", Served.LOCAL, 200))] += 1
        if is_end_of_second:  # as the worker does
            responses.tick()
            found.update(counted(responses._counters))
    found.update(counted(responses._counters))
    assert found == expected


def test_what_is_handed_over_is_not_counted_here(
    worker: FakeWorker, borrowed: list[StubBorrowed]
) -> None:
    client = worker.connect()
    client.receive(ROOT + NOT_HELD)
    assert len(borrowed) == 1
    assert list(counted(worker.responses_for(peer="", scheme="")._counters).values()) == [1]


@pytest.mark.parametrize(("share", "logged"), [(0, []), (0.5, [0, 2, 4]), (1, [0, 1, 2, 3, 4, 5])])
def test_a_share_of_the_hits_is_logged(reader: Reader, share: float, logged: list[int]) -> None:
    worker = FakeWorker(reader.responses(), share=share)
    client = worker.connect()
    for number in range(6):
        method = "HEAD" if number == 2 else "GET"
        client.receive(make_head("/orgs/Netflix", f"X-Request-Id: id-{number}", method=method))
    lines = list(worker.telemetry.access_log._waiting)
    assert [one.request_id for one in lines] == [f"id-{number}" for number in logged]
    assert {(one.path, one.status, one.served, one.client) for one in lines} <= {
        ("/orgs/Netflix", 200, "local", "192.0.2.7")
    }
    assert [one.method for one in lines] == ["HEAD" if n == 2 else "GET" for n in logged]


def test_the_id_that_is_logged_is_that_of_the_answer(reader: Reader) -> None:
    worker = FakeWorker(reader.responses(), share=1)
    client = worker.connect()
    client.receive(ROOT * 3)
    logged = [one.request_id.encode() for one in worker.telemetry.access_log._waiting]
    assert logged == request_ids(client.written)


def test_a_query_is_not_logged(reader: Reader) -> None:
    worker = FakeWorker(reader.responses(), share=1)
    worker.connect().receive(make_head("/orgs/Netflix?&"))
    assert [one.path for one in worker.telemetry.access_log._waiting] == ["/orgs/Netflix"]
