r"""Replaces the origin's address in JSON bodies by the one that the client used; pure.

GitHub's objects lead from one to the next by the URLs in them. Under the mount these URLs lead back
to this cache, as those of an enterprise server lead to itself.

A string is rewritten if it is the value of a key that ends in `url` or `href`, and begins with the
origin's address, which ends there or is followed by `/`, `?`, `{` or `#`. Only the bytes of that
address are replaced: a body is never parsed and written anew, so numbers, escapes, the order of
keys, and keys that occur twice stay as they are.

Why no parser is needed: in valid JSON, a `"` without a backslash before it begins or ends a string.
After the end of a string come white space, `,`, `:`, `]` and `}` only. So in `url": "https://...`
the second `"` begins a string, hence the first one ends a key, wherever this is found. Text inside
of strings cannot be mistaken for it, because each `"` in it has a backslash before it.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from io import BytesIO

from shared.buffers import Body

# Raise it when the same body is rewritten to other bytes: it is part of entity tags.
VERSION = 1
# Bytes that are rewritten in one step. In between, other threads get the interpreter's lock.
STEP = 64 * 1024
_LOOK_AHEAD = 4 * 1024  # bytes in which the end of a step is looked for at once
_SPACE = b" \t\n\r"  # JSON's own (RFC 8259 section 2)
_KEYS = (b'url"', b'href"')
# What may follow an address: the end of the string, and what ends an authority or a path.
_ENDS = (b'"', b"/", b"?", b"{", b"#")
# Only with these can an address or a key be spelled in another way than byte for byte.
_ESCAPES = (rb"\/", rb"\u00")
_GITHUB = "https://api.github.com"
_OF_ENTERPRISE = "/api/v3"


def origins_of(github_api_url: str) -> tuple[str, ...]:
    """The addresses that URLs in the origin's bodies begin with.

    An enterprise server writes its own. Any other origin is GitHub, or a proxy before it, which
    leaves GitHub's address in bodies.

    Args:
        github_api_url: the setting.
    """
    if github_api_url.endswith(_OF_ENTERPRISE):
        return (github_api_url,)
    return tuple(dict.fromkeys((github_api_url, _GITHUB)))


class Rewriting:
    """Replaces certain addresses by another one.

    Args:
        origins: the addresses to replace; without a comma.
    """

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = tuple(origins)

    def rewritten(self, body: bytes, address: str) -> bytes:
        """A body with another address.

        Args:
            body: valid JSON, or a part of it that begins and ends outside of strings.
            address: without a character that JSON escapes.
        """
        out = BytesIO()
        for piece in self.pieces(body, address):
            out.write(piece)
        return out.getvalue()

    def pieces(self, body: Body, address: str, *, step: int = STEP) -> Iterator[bytes]:
        """The same, in pieces that are each made in a short time.

        Args:
            body: as above; each of its buffers begins and ends outside of strings.
            address: as above.
            step: bytes of the body that are in a piece, at least.
        """
        new = address.encode("ascii")
        for part in (body,) if isinstance(body, bytes) else body.parts:
            yield from self._pieces(part, step, new)

    def _pieces(self, part: bytes | memoryview, step: int, new: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(part):
            end = _end_of_step(part, at + step)
            yield self._step(bytes(part[at:end]), new)
            at = end

    def _step(self, text: bytes, new: bytes) -> bytes:
        if any(escape in text for escape in _ESCAPES):
            return self._escaped.sub(partial(_replaced, new=new), text)
        return _plain(text, self._origins, new)

    @cached_property
    def _escaped(self) -> re.Pattern[bytes]:
        """Finds values in any spelling that JSON allows, whatever their key."""
        values = "|".join(map(_spelled, self._origins))
        ends = "|".join(map(_spelled, "/?{#"))
        space = "[ \t\n\r]*"
        return re.compile(f'("{space}:{space}")(?:{values})(?="|{ends})'.encode())


def _end_of_step(part: bytes | memoryview, least: int) -> int:
    """Where a step ends: right after a comma, not before the offset `least`, or at the end.

    No key's end, colon and address are cut by that, since there is no comma in them.
    """
    for at in range(least, len(part), _LOOK_AHEAD):
        comma = bytes(part[at : at + _LOOK_AHEAD]).find(b",")
        if comma >= 0:
            return at + comma + 1
    return len(part)


def _plain(text: bytes, origins: Sequence[str], new: bytes) -> bytes:
    """A text in which nothing is escaped that matters, with another address."""
    if not origins:
        return text
    old = b'"' + origins[0].encode("ascii")
    count = text.count(old)
    if not count:
        return _plain(text, origins[1:], new)
    if len(origins) == 1 and count == text.count(b'url":' + old) == text.count(old + b"/"):
        return text.replace(old, b'"' + new)  # as GitHub writes, most often
    first, *parts = text.split(old)
    out = [_plain(first, origins[1:], new)]
    before = first
    for part in parts:
        is_url = part.startswith(_ENDS) and _is_of_url(before)
        out += (b'"' + new if is_url else old, _plain(part, origins[1:], new))
        before = part
    return b"".join(out)


def _is_of_url(before: bytes) -> bool:
    """Whether these bytes end with a key that ends in `url` or `href`, and its colon."""
    if not before or before[-1] not in b": \t\n\r":
        return False
    key, colon, space = before.rpartition(b":")
    return bool(colon) and not space.strip(_SPACE) and key.rstrip(_SPACE).endswith(_KEYS)


def _replaced(found: re.Match[bytes], *, new: bytes) -> bytes:
    """What replaces a value that `Rewriting._escaped` found."""
    text, end = found.string, found.start()
    key = _KEY.search(text, max(0, end - _LONGEST_KEY), end)
    if key is None or (text[key.start()] == _BACKSLASH and _is_escaped(text, key.start())):
        return found[0]
    return found[1] + new


def _is_escaped(text: bytes, at: int) -> bool:
    """Whether the character at an offset follows an odd number of backslashes."""
    begin = at
    while begin and text[begin - 1] == _BACKSLASH:
        begin -= 1
    return (at - begin) % 2 == 1


def _spelled(text: str) -> str:
    r"""A pattern of all spellings of an ASCII text in a JSON string."""
    return "".join(map(_spelled_character, text))


def _spelled_character(character: str) -> str:
    digits = "".join(f"[{digit}{digit.upper()}]" for digit in f"{ord(character):04x}")
    ways = [re.escape(character), rf"\\u{digits}"]
    if character == "/":
        ways.append(r"\\/")
    return f"(?:{'|'.join(ways)})"


_BACKSLASH = ord("\\")
_LONGEST_KEY = 6 * len("href")  # bytes, with each character as `\u....`
_KEY = re.compile(f"(?:{_spelled('url')}|{_spelled('href')})\\Z".encode())
