"""How old content may be for a client: the `Cache-Control` of its request. Pure.

RFC 9111 section 5.2.1: `max-age`, `max-stale`, `min-fresh`, `no-cache`, `only-if-cached`. A
directive that is unknown or malformed is ignored, and so are `no-store` and `no-transform`, which
ask for nothing here. `Pragma` counts only without `Cache-Control` (section 5.4).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from shared.entry import Metadata
from shared.time_bounds import is_past

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# RFC 9111 section 1.2.2: what is greater counts as this.
_MOST_SECONDS = 2**31
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True)
class AgeBound:
    """What a client takes.

    Args:
        max_age: seconds since GitHub confirmed the content, at most.
        least_left: seconds of its freshness that are left, at least; negative: for which it may be
            stale.
        only_if_cached: the client does not wait for content.
        floor: content that was confirmed so many seconds ago, or less, is taken in any case.
    """

    max_age: float = inf
    least_left: float = -inf
    only_if_cached: bool = False
    floor: float = 0.0

    @property
    def is_any(self) -> bool:
        """Whether the client takes whatever there is, and waits if there is nothing."""
        return self.max_age == inf and self.least_left == -inf and not self.only_if_cached

    def admits(self, metadata: Metadata, *, asked_at: float, now: float) -> bool:
        """Whether a client takes content.

        The floor is measured at the time of the request, so that one refresh is enough for all who
        wait for it, however long it takes.

        Args:
            metadata: of the content.
            asked_at: Unix time in seconds of the client's request.
            now: Unix time in seconds.
        """
        confirmed_at = metadata.validated_at
        if is_past(confirmed_at, now) and asked_at - confirmed_at <= self.floor:
            return True
        return now - confirmed_at <= self.max_age and metadata.fresh_until - now >= self.least_left


ANY_AGE = AgeBound()


def bound_of(cache_control: str | None, pragma: str | None = None, *, floor: float = 0) -> AgeBound:
    """The bound in the fields of a request; `ANY_AGE` if they set none.

    Args:
        cache_control: value of the field; None if absent, as for the other.
        pragma: value of the field.
        floor: seconds, see `AgeBound`.
    """
    if cache_control is None:
        words = () if pragma is None else _directives(pragma)
        return AgeBound(max_age=0, floor=floor) if ("no-cache", None) in words else ANY_AGE
    found: dict[str, str | None] = {}
    for name, value in _directives(cache_control):
        found.setdefault(name, value)
    max_age = 0.0 if "no-cache" in found else _seconds(found.get("max-age"), inf)
    bound = AgeBound(max_age, _least_left(found, max_age), "only-if-cached" in found, floor)
    return ANY_AGE if bound.is_any else bound


def _least_left(found: dict[str, str | None], max_age: float) -> float:
    """Seconds of freshness that must be left: a client that bounds the age takes nothing stale."""
    usual = -inf if max_age == inf else 0.0
    if "min-fresh" in found:
        return _seconds(found["min-fresh"], usual)
    if "max-stale" in found:
        value = found["max-stale"]
        return -inf if value is None else -_seconds(value, -usual)
    return usual


def _seconds(value: str | None, otherwise: float) -> float:
    """The seconds in an argument; `otherwise` if it is missing or malformed."""
    if value is None or not value.isascii() or not value.isdigit():
        return otherwise
    return float(min(int(value.lstrip("0")[:20] or 0), _MOST_SECONDS))


def _directives(text: str) -> Iterator[tuple[str, str | None]]:
    """The well-formed directives: lower-case name, and argument without quotes, None if absent."""
    for member in _members(text):
        name, equals, value = member.strip(" \t").partition("=")
        if not _TOKEN.fullmatch(name):
            continue
        if not equals:
            yield name.lower(), None
        elif len(value) >= 2 and value[0] == value[-1] == '"':
            yield name.lower(), _ESCAPED.sub(r"\1", value[1:-1])
        elif _TOKEN.fullmatch(value):
            yield name.lower(), value


def _members(text: str) -> Iterator[str]:
    """The members of a list (RFC 9110 section 5.6.1): a comma in quotes separates nothing."""
    start, is_quoted, is_escaped = 0, False, False
    for at, char in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif is_quoted and char == "\\":
            is_escaped = True
        elif char == '"':
            is_quoted = not is_quoted
        elif char == "," and not is_quoted:
            yield text[start:at]
            start = at + 1
    yield text[start:]
