"""One gzip member (RFC 1952) joined from pieces that were compressed one by one. Pure.

Each piece is a run of raw deflate blocks (RFC 1951) that ends with a full flush: at a byte border,
and without references across it. So pieces can be put behind one header and before one trailer, in
any order, as pigz does it. The trailer's CRC-32 is computed from those of the pieces (Adler, zlib's
`crc32_combine`): multiplication of polynomials over GF(2), modulo that of the CRC.
"""

import struct
import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

_LEVEL = 6
# No name, no time, the compressor's usual effort, an unknown system: the same bytes each time.
HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_POLYNOMIAL = 0xEDB88320  # of CRC-32, its bits reversed
_ONE = 1 << 31  # the polynomial 1, its bits reversed


class Checked(NamedTuple):
    """What the trailer needs to know of uncompressed bytes.

    Args:
        crc: their CRC-32.
        size: their number.
    """

    crc: int = 0
    size: int = 0

    @classmethod
    def of(cls, plain: bytes) -> "Checked":
        """That of some bytes."""
        return cls(zlib.crc32(plain), len(plain))

    def then(self, other: "Checked") -> "Checked":
        """That of these bytes with others behind them."""
        shifted = _product(_power_of_x(8 * other.size), self.crc)
        return Checked(shifted ^ other.crc, self.size + other.size)


def deflated(plain: bytes) -> bytes:
    """Bytes as deflate blocks that can stand anywhere before the last one."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(plain) + compressor.flush(zlib.Z_FULL_FLUSH)


def inflated(blocks: bytes) -> bytes:
    """The inverse of `deflated`.

    Raises:
        zlib.error: the blocks are damaged.
    """
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(blocks)


def stored(plain: bytes, *, is_last: bool = False) -> bytes:
    """A few bytes as one block that is not compressed; at most 65,535 of them.

    Args:
        plain: the bytes.
        is_last: the block ends the member.
    """
    return struct.pack("<BHH", int(is_last), len(plain), len(plain) ^ 0xFFFF) + plain


def trailer(checked: Checked) -> bytes:
    """The end of a member, behind its last block."""
    return struct.pack("<II", checked.crc, checked.size & 0xFFFFFFFF)


def checked_of(parts: Iterable[Checked]) -> Checked:
    """That of all parts, one behind the other.

    Neighbours are taken together, then neighbouring pairs, and so on; each result is remembered:
    if one of 200 parts has changed, eight results are new.
    """
    row = list(parts) or [Checked()]
    while len(row) > 1:
        rest = row[-1:] if len(row) % 2 else []
        row = [*map(_both, row[::2], row[1::2]), *rest]
    return row[0]


@lru_cache(maxsize=8192)
def _both(one: Checked, other: Checked) -> Checked:
    return one.then(other)


def _product(one: int, other: int) -> int:
    """The product of two polynomials over GF(2), modulo the CRC's; bits are reversed."""
    product, bit = 0, _ONE
    while one:
        if one & bit:
            product ^= other
            one ^= bit
        bit >>= 1
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product


@lru_cache(maxsize=4096)
def _power_of_x(exponent: int) -> int:
    """x to a power, modulo the CRC's polynomial."""
    power, square = _ONE, _ONE >> 1
    while exponent:
        if exponent & 1:
            power = _product(square, power)
        square = _product(square, square)
        exponent >>= 1
    return power
