"""Numbers in Redis, read so that a damaged one is no error: it counts as absent."""

import math

# The greatest numbers that are stored are fencing tokens: microseconds since 1970. A double, as Lua
# has it, holds no greater integers.
_MOST = 2**53 - 1


def number_of(value: bytes | str | None) -> float:
    """A stored number; 0 if there is none, or if it is damaged or not finite."""
    try:
        number = float(value or 0)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def count_of(value: bytes | str | None) -> int:
    """A stored count, rounded down and below 2^53 in size; 0 as for `number_of`."""
    return int(max(-_MOST, min(_MOST, number_of(value))))
