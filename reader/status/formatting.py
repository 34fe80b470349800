"""Formatting of numbers, sizes, times and lists as text for people."""

from datetime import UTC, datetime

from shared.time_bounds import showable

_UNITS = (("day", 86400), ("h", 3600), ("min", 60), ("s", 1))
_SIZES = ("B", "kB", "MB", "GB", "TB")


def duration(seconds: float) -> str:
    """A duration in its two largest units: `3 min 20 s`."""
    if seconds <= 0:
        return "0 s"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms" if seconds >= 0.001 else "less than 1 ms"
    left, parts = round(seconds), list[str]()
    for unit, size in _UNITS:
        number, left = divmod(left, size)
        if number or parts:
            parts.append(_of(number, unit) if number else "")
        if len(parts) == 2:
            break
    return " ".join(filter(None, parts))


def about(seconds: float) -> str:
    """A duration in whole seconds, for a page that is updated while it is read."""
    return duration(max(0, round(seconds)))


def size(number: float) -> str:
    """A number of bytes: `1.35 MB`."""
    for unit in _SIZES[:-1]:
        if abs(number) < 1000:
            return f"{number:.3g} {unit}" if unit != "B" else f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.3g} {_SIZES[-1]}"


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


def clock(at: float, now: float) -> str:
    """A point in time: the time of day, with the date if it is 12 hours or more away."""
    moment = datetime.fromtimestamp(showable(at), UTC)
    near = abs(at - now) < 12 * 3600
    return moment.strftime("%H:%M:%S UTC" if near else "%d %b %H:%M UTC")


def iso(at: float) -> str:
    """A point in time as in RFC 3339."""
    return (
        datetime.fromtimestamp(showable(at), UTC)
        .isoformat(timespec="seconds")
        .replace("+00:00", "Z")
    )


def listed(names: list[str], most: int = 3) -> str:
    """Names as a list in a sentence; after `most` names, the number of the others."""
    if len(names) > most:
        return ", ".join(names[:most]) + f" and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _of(number: int, unit: str) -> str:
    return f"{number} {unit}s" if unit == "day" and number != 1 else f"{number} {unit}"
