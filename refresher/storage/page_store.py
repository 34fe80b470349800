"""The origin's pages in Redis, for the next conditional requests.

One hash beside each entry, written in the same step:

=======  =====================================================================================
field    meaning
=======  =====================================================================================
heads    JSON: `shapes`, a digest of the public shapes that the content was made with, and `pages`:
         everything of each page except its body
ids      JSON: of an expanded list, the items' ids, in order, private ones included
1, 2 ..  the page's body as GitHub sent it, compressed
index:1  of an expanded list, what is needed of the page's items without their texts: see
..       `page_index`
rows:1   of a ranked list, what the views need to know of the page's items: likewise
..
lasts:v  of the ranked view v, where its segments end: see `list_writes`
=======  =====================================================================================
"""

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import zip_longest
from typing import Any, cast

from redis import Redis

from refresher.content.page import Body, Page
from refresher.content.page_index import PageIndex
from refresher.errors import StoredPageError
from shared.redis import keys
from shared.resources.kinds import Kind
from shared.resources.operations.shapes import public_shapes
from shared.resources.resource import Resource

# Everything of a page except its body, with the types of the values, exactly: Python takes a `bool`
# for an `int`.
_TYPES: Mapping[str, tuple[type, ...]] = {
    "url": (str,),
    "etag": (str, type(None)),
    "next_url": (str, type(None)),
    "given_to": (str,),
    "items": (int, type(None)),
    "moved_to": (str, type(None)),
    "asked_by": (str,),
    "moved_at": (int, float),
}
HEAD = tuple(_TYPES)
_OF_IDS = {int, str, bool}
_URLS = ("url", "next_url", "moved_to")


@dataclass(frozen=True)
class KnownPages:
    """What is known of a resource's pages.

    Args:
        pages: in order; their bodies are fetched when needed.
        ids: of the items of an expanded list.
        heads: the field as it is stored.
        is_outdated: the same pages would give other content now: the public shapes have changed.
        was_shown: clients get content, and no error, until other content is stored.
        is_first: nothing is stored, so nobody could say whether a list has lost much.
    """

    pages: Sequence[Page] = ()
    ids: Sequence[Hashable] = ()
    heads: bytes = b""
    is_outdated: bool = False
    was_shown: bool = False
    is_first: bool = False


NOTHING_KNOWN = KnownPages()


def load(redis: Redis, resource: Resource) -> KnownPages:
    """The known pages of a resource; none if none are stored, or if they cannot be read.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    key = keys.pages(resource)
    heads, ids = cast(list[bytes | None], redis.hmget(key, ["heads", "ids"]))
    if heads is None or ids is None:
        return KnownPages()
    try:
        known = json.loads(heads)
        indexes = _Indexes(redis, resource, len(known["pages"]))
        pages = [
            replace(
                page_from(head, _body(redis, key, str(number))),
                load_index=partial(indexes.of, number),
            )
            for number, head in enumerate(known["pages"], 1)
        ]
        is_outdated = known["shapes"] != public_shapes().digest
        return KnownPages(pages, _ids_in(ids), heads, is_outdated)
    except (ValueError, KeyError, TypeError, RecursionError):
        return KnownPages()


def page_from(head: Mapping[str, Any], body: Body) -> Page:
    """The page that `head_of` described.

    Raises:
        ValueError, KeyError, TypeError: the description is damaged.
    """
    page = Page(body=body, **head)
    urls = (head[name] for name in _URLS if head[name] is not None)
    if not all(type(head[name]) in types for name, types in _TYPES.items()) or not all(
        url.startswith(("http://", "https://")) for url in urls
    ):
        raise TypeError("a value has another type")
    return page


def _ids_in(text: bytes) -> list[Hashable]:
    ids = json.loads(text)
    if not isinstance(ids, list) or not set(map(type, ids)) <= _OF_IDS:
        raise TypeError("not a list of ids")
    return ids


def head_of(page: Page) -> dict[str, str | float | None]:
    """Everything of a page except its body."""
    return {name: getattr(page, name) for name in HEAD}


def heads_of(pages: Sequence[Page]) -> bytes:
    """The field that describes pages."""
    described = [head_of(page) for page in pages]
    return json.dumps({"shapes": public_shapes().digest, "pages": described}).encode()


def fields_of(
    pages: Sequence[Page], ids: Sequence[Hashable], kind: Kind, known: KnownPages = NOTHING_KNOWN
) -> dict[str, bytes]:
    """The fields of a resource's pages, except those that are stored.

    Args:
        pages: to store.
        ids: of the items of an expanded list.
        kind: of the resource.
        known: what is stored.
    """
    fields = {"heads": heads_of(pages)}
    if not known.pages or known.ids != ids:
        fields["ids"] = json.dumps(list(ids)).encode()
    for number, (page, stored) in enumerate(zip_longest(pages, known.pages[: len(pages)]), 1):
        if stored is None or page.body is not stored.body:
            fields[str(number)] = page.body.packed()
        is_indexed = stored is not None and page.load_index is stored.load_index
        index = None if is_indexed else page.load_index()
        if index is not None:
            fields[f"index:{number}"] = index.packed(kind)
            if kind.rankings:
                fields[f"rows:{number}"] = index.load_rows()
    return fields


def fields_of_gone(pages: Sequence[Page], known: KnownPages) -> list[str]:
    """The fields of the pages that a list has no longer.

    Args:
        pages: to store.
        known: what is stored.
    """
    numbers = range(len(pages) + 1, len(known.pages) + 1)
    return [f"{prefix}{number}" for number in numbers for prefix in ("", "index:", "rows:")]


class _Indexes:
    """The indexes of all pages, read in one round trip when the first one is needed.

    Args:
        redis: the fleet's Redis.
        resource: the list.
        number: of its pages.
    """

    def __init__(self, redis: Redis, resource: Resource, number: int) -> None:
        self._redis, self._key, self._kind = redis, keys.pages(resource), resource.kind
        self._number = number
        self._parsed: dict[int, PageIndex | None] = {}

    def of(self, number: int) -> PageIndex | None:
        """The index of a page; None if it has none, or one of another release.

        Raises:
            StoredPageError: it is damaged.
        """
        if number not in self._parsed:
            packed = self._packed[number - 1]
            # Without a reference to this object: memory would be freed by the next collection only.
            rows = partial(_rows, self._redis, self._key, number)
            self._parsed[number] = (
                None if packed is None else PageIndex.from_packed(packed, self._kind, rows)
            )
            self._packed[number - 1] = None
        return self._parsed[number]

    @cached_property
    def _packed(self) -> list[bytes | None]:
        names = [f"index:{one}" for one in range(1, self._number + 1)]
        return cast(list[bytes | None], self._redis.hmget(self._key, names))


def _rows(redis: Redis, key: str, number: int) -> bytes:
    """The rows of a page; nothing if they are gone."""
    return cast(bytes | None, redis.hget(key, f"rows:{number}")) or b""


def _body(redis: Redis, key: str, field: str) -> Body:
    def load_body() -> bytes:
        packed = cast(bytes | None, redis.hget(key, field))
        if not packed:  # expired, or evicted, while we read; or damaged
            raise StoredPageError
        return packed

    return Body(load_body)
