"""Times and durations as text for people: on the status page, in the CLI and in the log. Pure."""

from datetime import UTC, datetime

from shared.time_bounds import showable

_UNITS = (("day", 86400), ("h", 3600), ("min", 60), ("s", 1))


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


def _of(number: int, unit: str) -> str:
    return f"{number} {unit}s" if unit == "day" and number != 1 else f"{number} {unit}"
