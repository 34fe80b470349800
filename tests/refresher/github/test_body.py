"""A body is read completely and decompressed, or refused; never more of it than allowed."""

import gzip
import io
from collections.abc import Callable

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPResponse

from refresher.errors import OriginError
from refresher.github.body import read_body
from shared.outcomes import FailureKind
from tests.refresher.workbench import property_test

bodies = st.binary(max_size=300)
steps = st.integers(1, 400)


class Trickle(io.BytesIO):
    """Bytes that arrive a few at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self.step = step

    def read1(self, size: int | None = -1, /) -> bytes:
        """At most one step's bytes."""
        return super().read1(self.step if size is None or size < 0 else min(size, self.step))


def make_response(
    sent: bytes, *, step: int = 400, encoding: str | None = None
) -> requests.Response:
    """A response whose body arrives like this."""
    response = requests.Response()
    response.status_code = 200
    if encoding is not None:
        response.headers["Content-Encoding"] = encoding
    response.raw = HTTPResponse(Trickle(sent, step), preload_content=False)
    return response


def read(
    response: requests.Response,
    *,
    max_bytes: int = 1_000_000,
    is_late: Callable[[], bool] = lambda: False,
) -> bytes:
    """Read a body with enough room and time."""
    return read_body(response, max_bytes=max_bytes, is_late=is_late)


def refusal(response: requests.Response, **limits: int) -> FailureKind:
    """Why a body is refused; fails if it is not."""
    with pytest.raises(OriginError) as refused:
        read(response, **limits)  # type: ignore[arg-type]
    assert refused.value.status == 200
    return refused.value.kind


def outcome(response: requests.Response) -> bytes | FailureKind:
    """The body, or why it is refused."""
    try:
        return read(response)
    except OriginError as error:
        return error.kind


@property_test
@given(bodies, steps)
def test_a_body_comes_whole_however_it_arrives(body: bytes, step: int) -> None:
    assert read(make_response(body, step=step)) == body
    compressed = make_response(gzip.compress(body), step=step, encoding="gzip")
    assert read(compressed) == body


@property_test
@given(st.binary(min_size=1, max_size=300), steps, st.data())
def test_a_compressed_body_that_is_cut_is_never_taken_for_whole(
    body: bytes, step: int, data: st.DataObject
) -> None:
    sent = gzip.compress(body)
    cut = data.draw(st.integers(1, len(sent) - 1))
    # Where not even the first byte came it looks empty, which no response with content may be.
    assert outcome(make_response(sent[:cut], step=step, encoding="gzip")) in {
        b"",
        FailureKind.CONNECTION,
    }


@property_test
@given(bodies, steps, st.integers(1, 300), st.booleans())
def test_a_body_may_be_as_long_as_allowed_and_no_longer(
    body: bytes,
    step: int,
    max_bytes: int,
    compressed: bool,
) -> None:
    sent, encoding = (gzip.compress(body), "gzip") if compressed else (body, None)
    response = make_response(sent, step=step, encoding=encoding)
    if len(body) <= max_bytes:
        assert read(response, max_bytes=max_bytes) == body
    else:
        assert refusal(response, max_bytes=max_bytes) is FailureKind.TOO_LARGE


def test_a_bomb_is_not_blown_up() -> None:
    bomb = make_response(gzip.compress(bytes(50_000_000)), step=100_000, encoding="gzip")
    assert refusal(bomb, max_bytes=1000) is FailureKind.TOO_LARGE


def test_the_time_is_looked_at_with_every_arrival_whether_it_can_be_decompressed_or_not() -> None:
    states = iter([False, False, True])
    response = make_response(gzip.compress(b"x" * 100), step=1, encoding="gzip")
    with pytest.raises(OriginError) as refused:
        read(response, is_late=lambda: next(states))
    assert refused.value.kind is FailureKind.TIMEOUT


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip"])
def test_a_compression_that_was_not_asked_for_is_refused(encoding: str) -> None:
    assert refusal(make_response(b"{}", encoding=encoding)) is FailureKind.UNEXPECTED


@pytest.mark.parametrize("encoding", ["GZIP", "Gzip"])
def test_the_name_of_a_compression_ignores_case(encoding: str) -> None:
    assert read(make_response(gzip.compress(b"{}"), encoding=encoding)) == b"{}"


def test_what_only_says_that_it_is_compressed_broke_on_the_way() -> None:
    assert refusal(make_response(b"{}", encoding="gzip")) is FailureKind.CONNECTION
