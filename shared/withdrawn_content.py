"""Removes what tells of withdrawn repositories from content. Pure.

Of a list, an item that is such a repository, or belongs to one, is left out. Elsewhere, an object
that is one becomes `null`, as GitHub itself shows the repository of a pull request whose fork is
gone. An object that is nothing else becomes a 404.
"""

import json
import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from shared.segmented_array import Piece

_FEW = 8  # of them, each is looked for by itself
# What may be a full name or an id, in a text in lower case.
_ANY = re.compile(
    rb'(?:/repos/|://[^/"]+/|"(?:full_)?name":\s?"|\[")(?=([\w.-]+/[\w.-]+))'
    rb'|(?:/repositories/|"id":\s?)(?=(\d+))'
)
# The repository that an address names: of the API, by name or id; or of a page for people.
_API = re.compile(r"/repos/([^/?#{]+/[^/?#{]+)|/repositories/(\d+)")
_PAGE = re.compile(r"[a-z+]+://[^/]+/([^/?#{]+/[^/?#{]+)")
# Members that hold addresses of pages. In others, `/licenses/mit` is no repository.
_PAGES = frozenset(
    {
        *("html_url", "clone_url", "git_url", "svn_url", "ssh_url", "mirror_url", "permalink_url"),
        *("diff_url", "patch_url", "download_url", "browser_download_url", "target_url"),
    }
)
_ADDRESSES = ("url", "href")  # the ends of the names of members that hold addresses
_REPOSITORIES = ("repo", "repository")  # members that say what an item belongs to
_IS_A_REPOSITORY = re.compile(r"/repos/[^/?#{]+/[^/?#{]+$|/repositories/\d+$")


class _Gone:
    """Stands for a value that is left out."""


_GONE = _Gone()


class Cut(NamedTuple):
    """What is left of a piece of a list.

    Args:
        piece: with the other items; None if there are none.
        names: full names of the items that were removed.
    """

    piece: Piece | None
    names: frozenset[str]


Cuts = MutableMapping[Piece, Cut | None]  # None: nothing is removed


class Remover:
    """Removes some withdrawn repositories.

    Args:
        keys: full names in lower case, and ids, as `shared.withdrawal` spells them.
        at: Unix time in seconds of the last of their events: content has changed then.
        former: of other keys, perhaps nearly the same: what it knows of pieces is not found anew.
    """

    def __init__(
        self, keys: Iterable[str], *, at: float = 0.0, former: "Remover | None" = None
    ) -> None:
        self.keys = frozenset(keys)
        self.at = at
        self.repositories = frozenset(key for key in self.keys if not key.startswith("#"))
        self._ids = frozenset(key[1:] for key in self.keys if key.startswith("#"))
        self._needles = _needles(self.keys)
        self.cuts: Cuts = WeakKeyDictionary()
        # Without the former itself, or all that ever were would stay.
        self._former_cuts: Cuts = {} if former is None else former.cuts
        self._is_more = former is not None and former.keys <= self.keys
        self._new_needles = _needles(self.keys - former.keys) if former is not None else ()

    def known_cut(self, piece: Piece) -> Cut | bool | None:
        """What is left of a piece, if that is known: None if all is; False if it is not known."""
        if piece in self.cuts:
            return self.cuts[piece]
        if piece not in self._former_cuts or self._tells(piece.body, self._new_needles):
            return False
        cut = self._former_cuts[piece]
        return cut if cut is None or self._is_more else False

    def body(self, body: bytes) -> bytes | None:
        """A JSON text without them: itself if it tells of none, None if nothing is left."""
        if not self.may_tell(body):
            return body
        try:
            value = json.loads(body)
            left = self._without(value, is_item=True)
        except (ValueError, RecursionError):
            return None
        if left is _GONE:
            return None
        if left == value:
            return body
        return json.dumps(left, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )

    def names(self, item: Mapping[str, Any]) -> bool:
        """Whether `{"id": ..., "name": ...}` of the change feed names one."""
        name = item.get("name")
        return str(item.get("id")) in self._ids or (
            isinstance(name, str) and name.lower() in self.repositories
        )

    def holds_id(self, ids: Iterable[object]) -> bool:
        """Whether one of these ids of items may be that of one."""
        return any(str(one) in self._ids for one in ids)

    def may_tell(self, text: bytes | memoryview) -> bool:
        """Whether a text mentions one, wherever; quick."""
        return self._tells(text, self._needles)

    def _tells(self, text: bytes | memoryview, needles: Sequence[bytes]) -> bool:
        if not needles:
            return False
        lower = bytes(text).lower()
        if len(needles) <= _FEW:
            return any(needle in lower for needle in needles)
        return any(
            name.decode() in self.repositories or identity.decode() in self._ids
            for name, identity in _ANY.findall(lower)
        )

    def _without(self, value: Any, *, is_item: bool = False) -> Any:
        """A JSON value without them; `_GONE` if it is one.

        Args:
            value: as the standard library reads it.
            is_item: it is an item of a list, or the whole.
        """
        if isinstance(value, list):
            left = [self._without(one, is_item=True) for one in value]
            return [one for one in left if one is not _GONE]
        if not isinstance(value, dict):
            return value
        if self._is_one(value):
            return _GONE
        members = {name: self._without(one) for name, one in value.items()}
        if is_item and any(members.get(name) is _GONE for name in _REPOSITORIES):
            return _GONE
        return {name: None if one is _GONE else one for name, one in members.items()}

    def _is_one(self, value: Mapping[str, Any]) -> bool:
        """Whether an object is one of them, or belongs to one, by its own members."""
        for name, one in value.items():
            if isinstance(one, str):
                if name.endswith(_ADDRESSES):
                    if self._leads_to_one(one, is_page=name in _PAGES):
                        return True
                elif name in {"full_name", "name"} and one.lower() in self.repositories:
                    return True
        if str(value.get("id")) not in self._ids:
            return False
        address = value.get("url")
        if isinstance(address, str) and _IS_A_REPOSITORY.search(address):
            return True
        return "full_name" in value

    def _leads_to_one(self, address: str, *, is_page: bool) -> bool:
        lower = address.lower()
        page = _PAGE.match(lower) if is_page else None
        return (page is not None and page[1].removesuffix(".git") in self.repositories) or any(
            name in self.repositories or identity in self._ids
            for name, identity in _API.findall(lower)
        )

    def items(self, texts: Sequence[bytes], *, is_view: bool) -> tuple[list[bytes], set[str]]:
        """The texts of items without them, and the full names of the items that were removed.

        Args:
            texts: of the items of a list, or of the rows of a view.
            is_view: they are rows, `[name, value]`.
        """
        kept, names = list[bytes](), set[str]()
        for text in texts:
            left: bytes | None = text
            if self.may_tell(text):
                value = _value(text)
                left = self._row(text, value) if is_view else self.body(text)
                name = value.get("full_name") if isinstance(value, dict) else None
                if left is None and isinstance(name, str):
                    names.add(name.lower())
            if left is not None:
                kept.append(left)
        return kept, names

    def _row(self, text: bytes, value: Any) -> bytes | None:
        """A row of a view; None if its item is one of them."""
        name = value[0] if isinstance(value, list) and value else None
        return None if isinstance(name, str) and name.lower() in self.repositories else text


def _needles(keys: Iterable[str]) -> tuple[bytes, ...]:
    """What a text mentions that tells of one of these, in lower case."""
    return tuple(key.removeprefix("#").encode() for key in sorted(keys))


def _value(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
