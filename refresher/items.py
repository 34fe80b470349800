"""Taking a page of JSON apart into its items, without changing a byte of them."""

import json
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from refresher.errors import OriginError
from refresher.ranking import Ranks, ranks_of
from shared.outcomes import FailureKind

_WHITESPACE = re.compile(r"[ \t\n\r]*")  # JSON's own (RFC 8259 section 2)
_decoder = json.JSONDecoder()


@dataclass(frozen=True)
class Item:
    """One item of a list: GitHub's own text of it, and the little that we need to know.

    The decoded object is not kept: of 7,000 repositories it would take ten times the text.

    Args:
        text: the item as GitHub wrote it.
        id: GitHub's id, by which the same item is known on another page.
        private: whether GitHub marks it as not public.
        ranks: what the views order it by; None where the list is not ranked.
    """

    text: bytes
    id: Hashable
    private: bool
    ranks: Ranks | None = None


def decode(body: bytes) -> Any:
    """The JSON value of a body.

    Raises:
        OriginError: it is not JSON in UTF-8.
    """
    try:
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise _not_json(error) from error


def split(body: bytes, *, ranked: bool) -> list[Item]:
    """The items of a JSON array.

    Args:
        body: the array.
        ranked: whether to take note of what the views order by.

    Raises:
        OriginError: it is not JSON, not an array, or an item is not an object.
    """
    try:
        return [_item(text, value, ranked=ranked) for text, value in elements(body)]
    except (ValueError, RecursionError) as error:
        raise _not_json(error) from error


def is_private(value: Any) -> bool:
    """Whether GitHub marks a JSON object as not for everyone.

    Repositories have `private` and `visibility`, events and gists `public`, the token's own user
    `user_view_type`.
    """
    if not isinstance(value, dict):
        return False
    return (
        value.get("private") is True
        or value.get("visibility") in ("private", "internal")
        or value.get("public") is False
        or value.get("user_view_type") == "private"
    )


def elements(body: bytes) -> Iterator[tuple[bytes, Any]]:
    """Each element of a JSON array as its text and its value.

    Raises:
        ValueError: it is not JSON.
        OriginError: it is JSON, but not an array.
    """
    text = body.decode("utf-8-sig")
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        decode(body)  # not JSON is another fault than JSON of another shape
        raise OriginError(FailureKind.UNEXPECTED, "GitHub sent something other than a list")
    at = _skip(text, at + 1)
    more = text[at : at + 1] != "]"
    while more:
        value, end = _decoder.raw_decode(text, at)
        yield text[at:end].encode(), value
        at = _skip(text, end)
        more = text[at : at + 1] == ","
        at = _skip(text, at + 1) if more else at
    if text[at : at + 1] != "]" or _skip(text, at + 1) != len(text):
        raise ValueError("the array does not end where the body does")


def _item(text: bytes, value: Any, *, ranked: bool) -> Item:
    if not isinstance(value, dict):
        reason = "GitHub's list holds something that is not an object"
        raise OriginError(FailureKind.UNEXPECTED, reason)
    # Lists without ids exist (languages of a search); there the text stands for itself.
    identity = value.get("id")
    known_by = identity if isinstance(identity, int | str) else text
    return Item(text, known_by, is_private(value), ranks_of(value) if ranked else None)


def _skip(text: str, at: int) -> int:
    match = _WHITESPACE.match(text, at)
    return match.end() if match else at


def _not_json(error: Exception) -> OriginError:
    reason = f"GitHub's answer is not valid JSON ({type(error).__name__})"
    return OriginError(FailureKind.NOT_JSON, reason)
