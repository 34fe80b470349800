"""Splits a page of JSON into its items, without changing a byte of their public parts."""

import hashlib
import json
import math
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from refresher.content.narrowing import Findings, UnfitError, narrowed
from refresher.content.privacy_marks import hidden_marks
from refresher.content.ranking import Row, row_of
from refresher.errors import OriginError
from shared.outcomes import FailureKind
from shared.resources.kinds import Kind
from shared.resources.operations.shapes import Shape
from shared.segments import digest_of

_WHITESPACE = re.compile(r"[ \t\n\r]*")  # JSON's own (RFC 8259 section 2)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; with a repeated member it is ambiguous: parsers disagree on the value."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is named twice")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# RFC 8259, stricter where its sections 4 and 6 leave a choice: names are unique, numbers finite.
_decoder = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=_finite, parse_constant=_no_constant
)


@dataclass(frozen=True)
class Item:
    """One item of a list: GitHub's own text of its public part, and what the cache needs of it.

    The decoded object is not kept: it takes ten times the memory of the text.

    Args:
        text: the item as GitHub wrote it, without its non-public parts.
        id: GitHub's id, or a digest of the text if it has none; the same on another page.
        private: the item is, or contains, something that GitHub marks as non-public.
        row: what the views need to know of it; None if its kind has no views.
    """

    text: bytes
    id: Hashable
    private: bool
    row: Row | None = None

    @cached_property
    def digest(self) -> str:
        """The digest of its text."""
        return digest_of(self.text)

    @property
    def size(self) -> int:
        """Bytes of its text."""
        return len(self.text)


def decode(body: bytes) -> Any:
    """The JSON value of a body.

    Raises:
        OriginError: it is not JSON in UTF-8, begins with a byte-order mark, or is ambiguous.
    """
    try:
        text = body.decode()
        value, end = _decoder.raw_decode(text, _skip(text, 0))
        if _skip(text, end) != len(text):
            raise ValueError("the body continues after its value")
    except (ValueError, RecursionError) as error:
        raise _not_json(error) from error
    return value


def split(
    body: bytes, shape: Shape, findings: Findings, *, kind: Kind, private: bool = False
) -> list[Item]:
    """The items of a JSON array, each without its non-public parts.

    Args:
        body: the array.
        shape: the public shape of an item.
        findings: collects what was found.
        kind: of the list.
        private: private repositories are admitted.

    Raises:
        OriginError: it is not JSON, not an array, or an item is not an object.
    """
    try:
        return [
            _item(text, value, shape, findings, kind=kind, private=private)
            for text, value in elements(body)
        ]
    except (ValueError, RecursionError) as error:
        raise _not_json(error) from error


def elements(body: bytes) -> Iterator[tuple[str, Any]]:
    """Each element of a JSON array as its text and its value.

    Raises:
        ValueError: it is not JSON.
        OriginError: it is JSON, but not an array.
    """
    text = body.decode()
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        decode(body)  # a body that is not JSON is another fault
        raise OriginError(FailureKind.UNEXPECTED, "GitHub sent something other than a list")
    at = _skip(text, at + 1)
    more = text[at : at + 1] != "]"
    while more:
        value, end = _decoder.raw_decode(text, at)
        yield text[at:end], value
        at = _skip(text, end)
        more = text[at : at + 1] == ","
        at = _skip(text, at + 1) if more else at
    if text[at : at + 1] != "]" or _skip(text, at + 1) != len(text):
        raise ValueError("the body continues after the array")


def _item(
    text: str, value: Any, shape: Shape, findings: Findings, *, kind: Kind, private: bool
) -> Item:
    if not isinstance(value, dict):
        reason = "GitHub's list holds something that is not an object"
        raise OriginError(FailureKind.UNEXPECTED, reason)
    found = Findings(nulled=hidden_marks(include_private=private))
    try:
        public, _ = narrowed(text, value, shape, found)
    except UnfitError as error:
        raise OriginError(FailureKind.UNEXPECTED, "GitHub's list has an invalid item") from error
    findings.add(found)
    # Items of some lists have no id (languages of a search): the text identifies them.
    identity = value.get("id")
    encoded = public.encode()
    known_by = identity if isinstance(identity, int | str) else hashlib.sha256(encoded).hexdigest()
    is_private = found.hides(include_private=private)
    return Item(encoded, known_by, is_private, row_of(value, kind) if kind.rankings else None)


def _skip(text: str, at: int) -> int:
    match = _WHITESPACE.match(text, at)
    return match.end() if match else at


def _not_json(error: Exception) -> OriginError:
    reason = f"GitHub's answer is not valid JSON ({type(error).__name__})"
    return OriginError(FailureKind.NOT_JSON, reason)
