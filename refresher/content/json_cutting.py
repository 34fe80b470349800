"""Removes members from a JSON text without changing any other byte."""

import json
import re
from typing import Any

_decoder = json.JSONDecoder()
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_SPACE = re.compile(r"[ \t\n\r]*")  # JSON's own (RFC 8259 section 2)
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")


def cut(text: str, value: Any, left: Any) -> str:
    """The JSON text of a reduced value.

    Args:
        text: valid JSON, without surrounding white space.
        value: the text, decoded.
        left: the value without some members of its objects, and with null for some items of its
            lists. A part that is the identical Python object keeps its text.
    """
    if left is value:
        return text
    shorter = _without_members(text, value, left)
    if shorter is not None:
        return shorter
    if _encode(value) == text:  # GitHub's own style; much faster than a search for members
        return _encode(left)
    pieces: list[str] = []
    _cut(text, 0, value, left, pieces)
    return "".join(pieces)


def _without_members(text: str, value: Any, left: Any) -> str | None:
    """The text without some members of the outermost object; None if this cannot be done safely.

    A member is found by its name, which must occur in the text exactly once and unescaped. The
    member's text cannot be part of a string, because it contains quotes. Every member except the
    first is preceded by a comma.
    """
    if "\\" in text or not isinstance(value, dict) or not isinstance(left, dict):
        return None
    if any(one is not value[key] for key, one in left.items()):
        return None
    for key in value.keys() - left.keys():
        member = "," + _encode({key: value[key]})[1:-1]
        if text.count(f'"{key}"') != 1 or text.count(member) != 1:
            return None
        text = text.replace(member, "")
    return text


def _cut(text: str, at: int, value: Any, left: Any, pieces: list[str]) -> int:
    """Append the reduced text of the value that begins at `at`; return where the value ends."""
    if left is not value and isinstance(value, dict) and isinstance(left, dict):
        return _cut_object(text, at, value, left, pieces)
    if left is not value and isinstance(value, list) and isinstance(left, list):
        return _cut_list(text, at, value, left, pieces)
    end = _end_of_value(text, at)
    pieces.append(text[at:end] if left is value else _encode(left))
    return end


def _cut_object(
    text: str, at: int, value: dict[str, Any], left: dict[str, Any], pieces: list[str]
) -> int:
    pieces.append("{")
    at = end = at + 1
    first = True
    margin = text[at : _after_space(text, at)]
    for key, one in value.items():
        begin = _after_space(text, at)
        colon = _COLON.match(text, _end_of_value(text, begin))
        assert colon is not None
        if key in left:
            pieces.append(margin if first else "," + text[at:begin])
            pieces.append(text[begin : colon.end()])
            end = _cut(text, colon.end(), one, left[key], pieces)
            first = False
        else:
            end = _end_of_value(text, colon.end())
        at = _after_space(text, end) + 1  # after the comma, or the closing brace
    pieces.append(text[end:at])
    return at


def _cut_list(text: str, at: int, value: list[Any], left: list[Any], pieces: list[str]) -> int:
    for one, after in zip(value, left, strict=True):
        begin = _after_space(text, at + 1)
        pieces.append(text[at:begin])  # the opening bracket, or a comma
        end = _cut(text, begin, one, after, pieces)
        at = _after_space(text, end)
        pieces.append(text[end:at])
    pieces.append("]")
    return at + 1


def _end_of_value(text: str, at: int) -> int:
    _, end = _decoder.raw_decode(text, at)
    return end


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
