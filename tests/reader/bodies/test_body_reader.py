"""Reading bodies within bounds: who is cut short, and who never is."""

import asyncio
from pathlib import Path
from typing import IO, Any

import pytest

from reader.bodies import body_reader as module
from reader.bodies.body_reader import Bodies, GivenUp, Incoming, NoRoom, TooLarge, TooSlow
from reader.errors import BadRequest
from tests.reader.front.loopback import Run

CHUNKED = [(b"transfer-encoding", b"chunked")]


@pytest.fixture(autouse=True)
def _bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few and small."""
    monkeypatch.setattr(module, "MOST", 3)
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    monkeypatch.setattr(module, "GRACE", 600)


class Body:
    """A body whose pieces come when the test says so."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.incoming = Incoming(self.queue.get, headers or CHUNKED)
        self.fed: list[bytes] = []

    def send(self, piece: bytes, *, more: bool = True) -> None:
        self.queue.put_nowait({"type": "http.request", "body": piece, "more_body": more})

    def read(self, bodies: Bodies, *, limit: int = 10_000) -> "asyncio.Task[bytes]":
        reading = bodies.read(self.incoming, limit=limit, feed=self.fed.append)
        return asyncio.get_running_loop().create_task(reading)


async def a_moment() -> None:
    """Everybody goes on as far as possible."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("sizes", [[1] * 900, [900], [100, 5, 5, 300, 1], [0], [0, 1, 0]])
def test_a_body_is_read_whole_and_fed_piece_by_piece(
    run: Run, monkeypatch: pytest.MonkeyPatch, sizes: list[int]
) -> None:
    monkeypatch.setattr(module, "_TINY", 50)
    monkeypatch.setattr(module, "_JOINED", 200)

    async def test() -> None:
        body, bodies = Body(), Bodies()
        pieces = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
        for piece in pieces[:-1]:
            body.send(piece)
        body.send(pieces[-1], more=False)
        assert await body.read(bodies) == b"".join(pieces)
        assert body.fed == pieces
        assert bodies._bytes == len(bodies._all) == 0

    run(test())


def test_where_no_body_is_declared_nothing_is_waited_for(run: Run) -> None:
    async def test() -> None:
        for headers in ([(b"host", b"a.test")], [(b"content-length", b"0")]):
            assert await Body(*headers).read(Bodies()) == b""

    run(test())


@pytest.mark.parametrize("headers", [CHUNKED, [(b"content-length", b"101")]])
def test_a_body_that_is_too_large_is_refused(run: Run, headers: list[tuple[bytes, bytes]]) -> None:
    async def test() -> None:
        body, bodies = Body(*headers), Bodies()
        if headers == CHUNKED:
            body.send(b"x" * 100)
            body.send(b"x")
        with pytest.raises(TooLarge):
            await body.read(bodies, limit=100)
        assert bodies._bytes == len(bodies._all) == 0

    run(test())


def test_the_deadline_is_for_the_whole_of_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.1)

    async def test() -> None:
        body, bodies = Body(), Bodies()
        for _ in range(20):  # are there at once, however busy the machine is
            body.send(b"x")
        reading = body.read(bodies)
        for _ in range(1000):  # at least a second: each piece comes in time
            if reading.done():
                break
            body.send(b"x")
            await asyncio.sleep(0.001)
        assert reading.done()
        with pytest.raises(TooSlow):
            await reading
        assert len(body.fed) > 10
        assert bodies._bytes == len(bodies._all) == 0

    run(test())


def test_a_client_that_goes_is_told_apart(run: Run) -> None:
    async def test() -> None:
        body, bodies = Body(), Bodies()
        body.send(b"x")
        body.queue.put_nowait({"type": "http.disconnect"})
        with pytest.raises(BadRequest):
            await body.read(bodies)
        assert bodies._bytes == len(bodies._all) == 0

    run(test())


def test_the_slowest_gives_way_to_a_newcomer(run: Run) -> None:
    async def test() -> None:
        bodies = Bodies()
        waiting = [Body() for _ in range(3)]
        readings = [body.read(bodies) for body in waiting]
        for body, size in zip(waiting, (20, 1, 30), strict=True):
            body.send(b"x" * size)
        await a_moment()
        for reading in bodies._all:
            reading.began -= 700
        newcomer = Body()
        readings.append(newcomer.read(bodies))
        with pytest.raises(GivenUp):
            await readings.pop(1)
        for body in (waiting[0], waiting[2], newcomer):
            body.send(b"end", more=False)
        read = await asyncio.gather(*readings)
        assert [len(one) for one in read] == [23, 33, 3]
        assert bodies._bytes == len(bodies._all) == 0

    run(test())


def test_while_all_are_young_the_oldest_gives_way(run: Run) -> None:
    async def test() -> None:
        bodies = Bodies()
        all_ = [Body() for _ in range(5)]
        readings = [body.read(bodies) for body in all_]
        await a_moment()
        assert [reading.done() for reading in readings] == [True, True, False, False, False]
        for body in all_:
            body.send(b"", more=False)
        ended = await asyncio.gather(*readings, return_exceptions=True)
        assert [type(one) for one in ended] == [GivenUp, GivenUp, bytes, bytes, bytes]

    run(test())


def test_what_has_come_already_takes_nobodys_place(run: Run) -> None:
    async def test() -> None:
        bodies = Bodies()
        readings = [Body().read(bodies) for _ in range(3)]
        await a_moment()
        for _ in range(20):
            whole = Body()
            whole.send(b"x" * 50)
            whole.send(b"y", more=False)
            assert len(await whole.read(bodies)) == 51
        assert not any(reading.done() for reading in readings)
        for reading in readings:
            reading.cancel()
        await asyncio.gather(*readings, return_exceptions=True)
        assert bodies._bytes == len(bodies._all) == 0

    run(test())


def test_beyond_the_bytes_the_largest_gives_way(run: Run) -> None:
    async def test() -> None:
        bodies = Bodies()
        large, small, larger = Body(), Body(), Body()
        readings = [body.read(bodies) for body in (large, small, larger)]
        for body, size in ((large, 400), (small, 50), (larger, 500)):
            body.send(b"x" * size)
        await a_moment()
        assert bodies._bytes == 950
        small.send(b"x" * 60)
        with pytest.raises(GivenUp):
            await readings[2]
        assert bodies._bytes == 510
        small.send(b"", more=False)
        large.send(b"", more=False)
        assert [len(await one) for one in readings[:2]] == [400, 110]
        assert bodies._bytes == len(bodies._all) == 0

    run(test())


def test_a_body_that_gives_way_to_itself_is_ended_once(run: Run) -> None:
    async def test() -> None:
        bodies, body = Bodies(), Body()
        body.send(b"x" * 1001)
        body.send(b"x", more=False)
        with pytest.raises(GivenUp):
            await body.read(bodies)
        assert bodies._bytes == len(bodies._all) == 0
        await a_moment()  # nothing is cancelled later

    run(test())


def test_a_small_rest_is_discarded_and_a_large_one_is_left(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DISCARDED", 100)
    monkeypatch.setattr(module, "LINGER", 0.01)

    async def test() -> None:
        for number, is_over in ((5, True), (15, False)):
            body = Body()
            for _ in range(number):
                body.send(b"x" * 10)
            body.send(b"", more=False) if is_over else None
            await body.incoming.discard()
            assert body.incoming.is_over == is_over
        silent = Body()
        await silent.incoming.discard()
        assert not silent.incoming.is_over

    run(test())


def _spool_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPOOLED_ABOVE", 300)
    monkeypatch.setattr(module, "MOST_SPOOLED", 2000)


@pytest.mark.parametrize("sizes", [[300], [301], [100] * 8, [1] * 900, [299, 1, 1], [900, 0]])
def test_a_large_body_is_kept_on_disk_and_is_whole(
    run: Run, monkeypatch: pytest.MonkeyPatch, sizes: list[int]
) -> None:
    _spool_early(monkeypatch)

    async def test() -> None:
        body, bodies = Body(), Bodies()
        pieces = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
        for piece in pieces[:-1]:
            body.send(piece)
        reading = body.read(bodies)
        await a_moment()
        arrived = sum(sizes[:-1])
        on_disk = arrived if arrived > 300 else 0
        assert (bodies._spooled, bodies._bytes) == (on_disk, arrived - on_disk)
        body.send(pieces[-1], more=False)
        assert await reading == b"".join(pieces)
        assert (bodies._spooled, bodies._bytes) == (0, 0)

    run(test())


def test_more_on_disk_than_there_is_room_for_ends_the_largest(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _spool_early(monkeypatch)

    async def test() -> None:
        bodies = Bodies()
        small, large, newest = Body(), Body(), Body()
        readings = [body.read(bodies) for body in (small, large, newest)]
        small.send(b"s" * 400)
        large.send(b"l" * 1500)
        await a_moment()
        newest.send(b"n" * 400, more=False)
        with pytest.raises(GivenUp):
            await readings[1]
        assert await readings[2] == b"n" * 400
        small.send(b"s", more=False)
        assert await readings[0] == b"s" * 401
        assert (bodies._spooled, bodies._bytes) == (0, 0)

    run(test())


def test_a_full_disk_is_a_503_and_leaves_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _spool_early(monkeypatch)

    def full(**_: object) -> IO[bytes]:
        return Path("/dev/full").open("wb", buffering=0)

    monkeypatch.setattr(module, "TemporaryFile", full)

    async def test() -> None:
        body, bodies = Body(), Bodies()
        body.send(b"x" * 301, more=False)
        with pytest.raises(NoRoom) as refused:
            await body.read(bodies)
        assert refused.value.status == 503
        assert (bodies._spooled, bodies._bytes) == (0, 0)

    run(test())


def test_a_body_on_disk_is_read_again_only_after_its_check(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _spool_early(monkeypatch)
    monkeypatch.setattr(module._Reading, "whole", lambda _: pytest.fail("it was read"))

    def check() -> None:
        assert body.fed == [b"x" * 400]
        raise BadRequest("The signature does not match.")

    body, bodies = Body(), Bodies()

    async def test() -> None:
        body.send(b"x" * 400, more=False)
        with pytest.raises(BadRequest):
            await bodies.read(body.incoming, limit=1000, feed=body.fed.append, check=check)
        assert (bodies._spooled, bodies._bytes) == (0, 0)

    run(test())
