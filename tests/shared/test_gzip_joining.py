"""One gzip member that is joined from pieces is what the whole would be."""

import gzip
import random
import shutil
import subprocess
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.gzip_joining import HEADER, Checked, checked_of, deflated, inflated, stored, trailer

pieces = st.lists(st.one_of(st.binary(max_size=300), st.just(b"ab" * 40_000)), max_size=8)


def joined(parts: Sequence[bytes]) -> bytes:
    """`[` all parts `]` as one member."""
    plain = [b"[", *parts, b"]"]
    blocks = [stored(b"["), *map(deflated, parts), stored(b"]", is_last=True)]
    return HEADER + b"".join(blocks) + trailer(checked_of(map(Checked.of, plain)))


@given(parts=pieces)
def test_it_is_one_member_with_the_right_trailer(parts: list[bytes]) -> None:
    whole = b"[" + b"".join(parts) + b"]"
    member = joined(parts)
    assert gzip.decompress(member) == whole
    one = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert one.decompress(member) == whole
    assert (one.eof, one.unused_data) == (True, b"")


@given(one=st.binary(max_size=2000), other=st.binary(max_size=2000))
def test_checksums_are_joined_as_if_the_bytes_were(one: bytes, other: bytes) -> None:
    assert Checked.of(one).then(Checked.of(other)) == Checked.of(one + other)


@given(plain=st.binary(max_size=3000))
def test_blocks_are_inflated_again(plain: bytes) -> None:
    assert inflated(deflated(plain)) == plain
    assert deflated(plain) == deflated(plain)


def test_damaged_blocks_are_an_error() -> None:
    with pytest.raises(zlib.error):
        inflated(b"\xff" * 20)


def test_the_program_gzip_finds_no_fault() -> None:
    program = shutil.which("gzip")
    assert program is not None
    member = joined([b"first", b"", b"x" * 200_000])
    done = subprocess.run([program, "-dc"], input=member, capture_output=True, check=True)
    assert done.stdout == b"[first" + b"x" * 200_000 + b"]"
    assert done.stderr == b""


def test_it_is_a_little_larger_than_the_whole_at_once() -> None:
    dice = random.Random("repositories")
    items = [
        b'{"id":%d,"name":"%s","stargazers_count":%d}'
        % (dice.getrandbits(30), dice.randbytes(12).hex().encode(), dice.getrandbits(12))
        for _ in range(3000)
    ]
    parts = [b"".join(items[at : at + 100]) for at in range(0, 3000, 100)]
    whole = gzip.compress(b"[" + b"".join(parts) + b"]", mtime=0)
    assert len(joined(parts)) < 1.1 * len(whole)
