"""The gzip body of a large list, joined from segments, as clients of several kinds read it.

Chromium is in `tests/browser/test_joined_gzip.py`.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
import requests

from tests.end_to_end.fleet import Fleet
from tests.end_to_end.up_to_date import REPOS, await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection, request

PROGRAMS = Path(__file__).parent / "joined_gzip"


@dataclass(frozen=True)
class Served:
    """A list as it was served.

    Args:
        url: where.
        plain: the body without compression.
        packed: the body with gzip.
    """

    url: str
    plain: bytes
    packed: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the body without compression."""
        return hashlib.sha256(self.plain).hexdigest()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A list of three pages in which something has changed: old and new segments are joined."""
    with (
        FakeGitHubProcess(repos=245, members=1, anonymous_limit=10**6) as github,
        Fleet(tmp_path_factory.mktemp("gzip"), github.url, CACHE_TTL=1) as fleet,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        github.mutate("star", repo=120, by=5)
        github.mutate("add", stars=3)
        await_up_to_date(github, reader)
        plain = requests.get(reader.url + REPOS, headers={"Accept-Encoding": ""}, timeout=60)
        with Connection(reader.url) as connection:
            connection.send(request(REPOS, Accept_Encoding="gzip"))
            packed = connection.receive()
        assert packed.headers["content-encoding"] == "gzip"
        yield Served(reader.url + REPOS, plain.content, packed.body)


def with_zlib(served: Served) -> bytes:
    """In small pieces; nothing follows the member."""
    reader, found = zlib.decompressobj(16 + zlib.MAX_WBITS), bytearray()
    for at in range(0, len(served.packed), 1000):
        assert not reader.eof
        found += reader.decompress(served.packed[at : at + 1000])
    assert (reader.eof, reader.unused_data) == (True, b"")
    return bytes(found)


def with_gzip(served: Served) -> bytes:
    with gzip.open(BytesIO(served.packed)) as file:
        return file.read()


def with_requests(served: Served) -> bytes:
    response = requests.get(served.url, timeout=60)
    assert response.headers["Content-Encoding"] == "gzip"
    return response.content


def with_urllib(served: Served) -> bytes:
    asked = urllib.request.Request(served.url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(asked, timeout=60) as response, gzip.open(response) as file:
        return bytes(file.read())


@pytest.mark.parametrize("read", [with_zlib, with_gzip, with_requests, with_urllib])
def test_python_reads_it(served: Served, read: Callable[[Served], bytes]) -> None:
    assert read(served) == served.plain


def require(program: str) -> str:
    """The path of a program; skips the test, and says why, if it is not installed."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program.upper()} IS NOT TESTED HERE: it is not installed")
    return found


def test_curl_reads_it(served: Served) -> None:
    command = [require("curl"), "--silent", "--fail", "--compressed", served.url]
    assert subprocess.run(command, capture_output=True, check=True).stdout == served.plain


@pytest.mark.parametrize("command", [["gzip", "-dc"], ["zcat"]], ids=str)
def test_programs_read_it(served: Served, command: list[str]) -> None:
    program = require(command[0])
    done = subprocess.run(
        [program, *command[1:]], input=served.packed, capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (served.plain, b"")


def test_node_reads_it(served: Served) -> None:
    command = [require("node"), str(PROGRAMS / "download.mjs"), served.url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [served.digest] * 3


def test_go_reads_it(served: Served, tmp_path: Path) -> None:
    program = tmp_path / "download"
    caches = {"GOCACHE": str(tmp_path / "cache"), "GOPATH": str(tmp_path), "CGO_ENABLED": "0"}
    environment = {**os.environ, "GO111MODULE": "off", "GOFLAGS": "", **caches}
    build = [require("go"), "build", "-o", str(program), str(PROGRAMS / "main.go")]
    subprocess.run(build, env=environment, capture_output=True, check=True)
    done = subprocess.run([program, served.url], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [served.digest] * 2
