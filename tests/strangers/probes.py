"""Probes: bytes that are sent to a server, and which answers are asked for.

A file of probes has one a line, its columns separated by tabs:

- its name;
- the level of what is asked: "MUST", "SHOULD", "MAY", "ought to"; "practice" if no RFC says it;
  "unscored" if it counts for nothing in its suite;
- RFC and section;
- which answers are asked for, which are tolerated, which one the reader gives, and the verdict;
- what is sent, with Python's escapes. `[then]` separates parts, of which each is sent when the
  answer to the one before has come. `{a*9}` is nine times `a`, with `#` as the number of each;
  `{random*9}` nine random bytes; `{ETag}` what the last answer had in that field, and
  `{opaque ETag}` the same without quotes.

An answer is written as statuses and an end: `400 closed`, `200 304 open`. `closed`: the server
closes the connection; `open`: the next request is answered; `waits`: the server waits for more.
What is asked for is a list: `400` any such answer, `2xx` any of the class, `any`, `!101` any other,
`closed` an end without an answer, `waits`; `2xx and closed` an answer and the end, `405 with Allow`
with a field, `204 without Allow` without it, `2xx then 304` one after the other.
"""

import asyncio
import random
import re
from codecs import escape_decode
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.http_client import AsyncConnection, Response, request

_THEN = " [then] "
_REPEATED = re.compile(r"\{(.+?)\*(\d+)\}")
_FIELD = re.compile(r"\{(opaque )?([A-Za-z-]+)\}")
_FIXDATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
# Sent behind each probe whose connection is to be open; answered if nothing is left of the probe.
_NEXT = request("/livez", X_Request_Id="the-next")
_WAITS = 0.7  # seconds without an answer, if none is expected
_PATIENCE = 30.0  # seconds for an answer that is expected: the machine may be busy
_AT_ONCE = 16
# Methods that the reader serves; any other is a 405, once the request is understood.
_SERVED = ("GET", "HEAD", "OPTIONS")


class Probe(NamedTuple):
    """One line of a file of probes, as the module's docstring describes it."""

    name: str
    level: str
    section: str
    asked: str
    tolerated: str
    given: str
    verdict: str
    sent: str

    @property
    def parts(self) -> list[str]:
        """What is sent, one after the other."""
        return self.sent.split(_THEN)

    @property
    def method(self) -> str:
        """The method of its first request."""
        return self.sent.partition(" ")[0]


class Answer(NamedTuple):
    """What a server did with a probe.

    Args:
        responses: those before that to the next request.
        end: `closed`, `open` or `waits`.
    """

    responses: list[Response]
    end: str

    def __str__(self) -> str:
        return " ".join([*(str(response.status) for response in self.responses), self.end])


def read_probes(path: Path) -> list[Probe]:
    """The probes of a file; lines that begin with `#` are remarks."""
    lines = path.read_text().splitlines()
    return [Probe(*line.split("\t")) for line in lines if not line.startswith("#")]


def bytes_of(part: str, fields: dict[str, str]) -> bytes:
    """The bytes that a part of a probe stands for.

    Args:
        fields: those of the last answer, by lower-case name.
    """

    def repeated(found: re.Match[str]) -> str:
        text, times = found[1], int(found[2])
        if text == "random":
            return "".join(f"\\x{byte:02x}" for byte in random.Random(42).randbytes(times))
        return "".join(text.replace("#", str(number)) for number in range(times))

    def of_last(found: re.Match[str]) -> str:
        value = fields[found[2].lower()]
        return value.strip('"') if found[1] else value

    text = _FIELD.sub(of_last, _REPEATED.sub(repeated, part))
    data, _ = escape_decode(text.encode("latin-1"))
    assert isinstance(data, bytes)
    return data


async def answer_to(probe: Probe, url: str) -> Answer:
    """Send a probe on a connection of its own."""
    *expected, end = probe.given.split(" ")
    connection = await AsyncConnection.open(url)
    responses: list[Response] = []

    async def received(method: str) -> list[Response]:
        is_last = end == "waits" and len(responses) >= len(expected)
        waiting = _received(connection, method)
        return await asyncio.wait_for(waiting, _WAITS if is_last else _PATIENCE)

    try:
        for part in probe.parts:
            connection.send(bytes_of(part, responses[-1].headers if responses else {}))
            responses += await received(probe.method)
        if end == "open":
            connection.send(_NEXT)
        while True:
            more = await received("GET")
            if more[-1].headers.get("x-request-id") == "the-next":
                return Answer(responses, "open")
            responses += more
    except ConnectionError:
        return Answer(responses, "closed")
    except TimeoutError:
        return Answer(responses, "waits")
    finally:
        connection.writer.transport.abort()


async def _received(connection: AsyncConnection, method: str) -> list[Response]:
    """A response, and the interim ones before it."""
    received = [await connection.receive(method=method)]
    while received[-1].status < 200:
        received.append(await connection.receive(method=method))
    return received


def answers_to(probes: Iterable[Probe], url: str) -> dict[str, Answer]:
    """The answers of a server, by the names of the probes; several are sent at the same time."""

    async def all_of_them() -> dict[str, Answer]:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(probe: Probe) -> tuple[str, Answer]:
            async with turns:
                return probe.name, await answer_to(probe, url)

        return dict(await asyncio.gather(*map(one, probes)))

    return asyncio.run(all_of_them())


def verdict_on(probe: Probe, answer: Answer) -> str:
    """`as asked`, `tolerated` or `differs`.

    A 405 with `Allow` to a method that the reader does not serve counts as a 2xx: the request was
    understood as it is asked.
    """
    for verdict, wanted in (("as asked", probe.asked), ("tolerated", probe.tolerated)):
        if any(_fits(probe, answer, one) for one in wanted.split(", ")):
            return verdict
    return "differs"


def _fits(probe: Probe, answer: Answer, wanted: str) -> bool:
    responses = [response for response in answer.responses if response.status >= 200]
    if wanted in {"closed", "waits"}:
        return not answer.responses and answer.end == wanted
    steps = wanted.split(" then ")
    # More answers than parts: another request was found in the probe.
    if not len(steps) <= len(responses) <= len(probe.parts):
        return False
    given = zip(steps, responses, strict=False)
    return all(_is_like(probe, answer.end, *pair) for pair in given)


def _is_like(probe: Probe, end: str, wanted: str, response: Response) -> bool:
    status, *condition = wanted.split(" ")
    is_understood = response.status == 405 and "allow" in response.headers
    counts_as = {str(response.status), f"{response.status // 100}xx", "any"}
    if is_understood and probe.method not in _SERVED:
        counts_as.add("2xx")
    if (status.removeprefix("!") in counts_as) == status.startswith("!"):
        return False
    match condition:
        case ["and", "closed"]:
            return end == "closed"
        case ["with", "Date"]:
            return _FIXDATE.fullmatch(response.headers.get("date", "")) is not None
        case ["with", name]:
            return name.lower() in response.headers
        case ["without", name]:
            return name.lower() not in response.headers
    assert not condition, wanted
    return True
