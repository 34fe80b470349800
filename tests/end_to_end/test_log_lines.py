"""Nobody forges or colours a line of a log: of a reader's, of gunicorn's own, or of a worker's."""

import re
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from shared.queueing import QUEUE
from tests.end_to_end.fleet import Fleet, Running
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import exchange
from tests.waiting import eventually

MARK = "by-a-stranger"
# A line end and what looks like a line of ours, colours, a new title for the window, and bidi.
FORGED = f"{MARK}\r\n12:00:00 [info     ] all is well\x1b[31m\x1b]0;x\x07\x9b31m\u2028\u202e"
_BEGINS = re.compile(r"\d\d:\d\d:\d\d \[| {4}")


def assert_unforged(process: Running) -> None:
    """Each line is one of the formatter's, and shows all that is in it."""
    text = process.log.read_bytes().decode()
    assert MARK in text
    for line in text.removesuffix("\n").split("\n"):
        assert _BEGINS.match(line), line
        assert {unicodedata.category(one) for one in line}.isdisjoint({"Cc", "Cf", "Zl"}), line


@pytest.mark.parametrize("is_flask_alone", [False, True], ids=["front", "Flask alone"])
def test_requests_neither_begin_a_line_nor_colour_one(
    tmp_path: Path, github: FakeGitHubProcess, *, is_flask_alone: bool
) -> None:
    odd = FORGED.replace("\r\n", "").encode()
    taken = quote(FORGED).encode()  # what no parser refuses
    with Fleet(tmp_path, github.url, LOG_FORMAT="console", ACCESS_LOG=1) as fleet:
        reader = fleet.flask_reader() if is_flask_alone else fleet.reader()
        for sent in (
            b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % odd,
            b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % taken,
            b"GET /users/%s/x HTTP/1.1\r\nHost: a\r\nUser-Agent: %s\r\n\r\n" % (taken, taken),
            b"GET /a HTTP/1.1\r\nHost: a\r\nX-Request-Id: %s\r\n\r\n" % odd,
            b"GET /a HTTP/1.1\r\nHost: a\r\n%s: x\r\n\r\n" % odd,
            b"GET /%s HTTP/%s\r\nHost: a\r\n\r\n" % (MARK.encode(), odd),
            b"G%s / HTTP/1.1\r\nHost: a\r\n\r\n" % odd,
            b"POST /status/pause HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\n" % odd,
        ):
            exchange(reader.url, sent)
        eventually(lambda: MARK in reader.output, what="requests are logged")
        reader.stop()
        assert_unforged(reader)


def test_jobs_neither_begin_a_line_nor_colour_one(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, LOG_FORMAT="console") as fleet, fleet.redis() as redis:
        queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        job = queue.enqueue_call(f"os.{FORGED}", args=[FORGED], description=FORGED)
        worker = fleet.worker()
        eventually(lambda: redis.hget(f"rq:job:{job.id}", "status") == b"failed", what="it failed")
        worker.stop()
        assert_unforged(worker)
