"""Formatting of numbers, sizes, times and lists as text for people."""

from shared.times_in_words import about, clock, duration, iso

# Times are written as in the log.
__all__ = [
    "about",
    "capital",
    "clock",
    "count",
    "duration",
    "iso",
    "listed",
    "plural",
    "share",
    "size",
]

_SIZES = ("B", "kB", "MB", "GB", "TB")


def size(number: float) -> str:
    """A number of bytes: `1.35 MB`."""
    for unit in _SIZES[:-1]:
        if abs(number) < 1000:
            return f"{number:.3g} {unit}" if unit != "B" else f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.3g} {_SIZES[-1]}"


def capital(text: str) -> str:
    """A text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def count(number: float) -> str:
    """A whole number with a narrow space between thousands."""
    return f"{number:,.0f}".replace(",", "\u202f")


def plural(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def share(part: float, whole: float) -> str:
    """A share in percent; a dash if the whole is 0. 100 % and 0 % are exact."""
    if not whole:
        return "\u2013"
    percent = 100 * part / whole
    if 0 < part < whole:
        percent = min(max(percent, 0.1), 99.9)
        return f"{percent:.1f} %" if percent > 99 or percent < 1 else f"{percent:.0f} %"
    return f"{percent:.0f} %"


def listed(names: list[str], most: int = 3) -> str:
    """Names as a list in a sentence; after `most` names, the number of the others."""
    if len(names) > most:
        return ", ".join(names[:most]) + f" and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
