"""Keeps the pages of a list while it is read, so that an interrupted reading goes on.

Whatever ends a reading early (a process that stops, a failure, a lost lock), any refresher's next
reading of the list finds its pages. One hash for each list, written page by page:

=======  =====================================================================================
field    meaning
=======  =====================================================================================
about    JSON: `shapes`, a digest of the public shapes; `form`, the stored form; `asked_by`, id
         of the credential; `invalidated_by`, the invalidation known when the reading began
bytes    length of all pages together
{url}    a page: JSON of everything except its body, a line feed, its body, compressed; without
         a body, the page has that of the stored page with this URL
=======  =====================================================================================

It lives for CACHE_TTL from the last page on. The script that stores the list removes it.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import cast

from redis import Redis

from refresher.content.list_reader import PageRead, Step
from refresher.content.page import Body
from refresher.content.unfinished_reading import NOTHING_READ, Began, KeptPage, UnfinishedReading
from refresher.errors import OriginError
from refresher.storage.page_store import HEAD, KnownPages, head_of, page_from
from shared.outcomes import FailureKind
from shared.redis import keys
from shared.redis.scripts import Script
from shared.resources.operations.shapes import public_shapes
from shared.resources.resource import Resource
from shared.settings import Settings

# Failures whose cause may lie in the pages that were read before.
_OF_THE_WHOLE = frozenset({FailureKind.UNSETTLED, FailureKind.UNEXPECTED, FailureKind.TOO_LARGE})

# Keeps a page, unless the lock was lost or all pages together would be too large.
# KEYS: fence, reading. ARGV: token, milliseconds to keep, bytes of all pages at most, "1" to remove
#       an older reading first, and nothing more to do only that; about, URL, page.
# Returns 1 if it was kept.
_KEEP = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[4] == '1' then redis.call('DEL', KEYS[2]) end
if not ARGV[5] then return 1 end
local before = tonumber(redis.call('HGET', KEYS[2], 'bytes') or '0')
local bytes = before - redis.call('HSTRLEN', KEYS[2], ARGV[6]) + #ARGV[7]
if bytes > tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[2], 'about', ARGV[5], 'bytes', bytes, ARGV[6], ARGV[7])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
""")


class UnfinishedReadings:
    """The unfinished readings of lists; methods may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
        settings: say how long pages are recent, and how large a list may be.
    """

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._recent = settings.cache_ttl
        self._max_bytes = settings.list_max_bytes

    def load(self, resource: Resource, known: KnownPages, *, now: float) -> UnfinishedReading:
        """The unfinished reading of a list; one without pages if there is none that can be used.

        A list of one stored page is not looked up: it is read with one request.

        Args:
            resource: the list.
            known: its stored pages.
            now: Unix time in seconds.
        """
        if len(known.pages) == 1:
            return NOTHING_READ
        fields = cast(dict[bytes, bytes], self._redis.hgetall(keys.reading(resource)))
        try:
            about = json.loads(fields.pop(b"about", b"null"))
            if about is None or about | _conditions(resource) != about:
                return NOTHING_READ
            fields.pop(b"bytes", None)
            bodies = {page.url: page.body for page in known.pages}
            pages = [_page(url.decode(), value, bodies) for url, value in fields.items()]
            kept = {one.page.url: one for one in pages if one is not None}
            recent = {
                url: one for url, one in kept.items() if abs(now - one.asked_at) < self._recent
            }
            older = {url: one for url, one in kept.items() if url not in recent}
            return UnfinishedReading(about["asked_by"], about["invalidated_by"], recent, older)
        except (ValueError, KeyError, TypeError, RecursionError):
            return NOTHING_READ

    def keep(
        self,
        resource: Resource,
        step: PageRead,
        *,
        token: int,
        began: Began,
        anew: bool,
        stored: Mapping[str, Body],
    ) -> bool:
        """Keep a page that was read; False if the lock was lost, or the list is too large.

        Args:
            resource: the list.
            step: the page.
            token: fencing token of the refresh.
            began: when the reading began.
            anew: remove the pages of an older reading first.
            stored: bodies of the stored pages by URL: they are not kept a second time.
        """
        about = {
            **_conditions(resource),
            "asked_by": step.response.credential,
            "invalidated_by": began.invalidated_by,
        }
        url = step.read.page.url
        value = _value_of(step.read, has_body=step.read.page.body is not stored.get(url))
        return self._run(resource, token, anew, json.dumps(about), url, value)

    def discard(self, resource: Resource, *, token: int) -> bool:
        """Remove what was kept of a list; False if the lock was lost."""
        return self._run(resource, token, True)

    def _run(self, resource: Resource, token: int, anew: bool, *page: str | bytes) -> bool:
        kept = _KEEP(
            self._redis,
            [keys.fence(resource), keys.reading(resource)],
            [token, int(1000 * self._recent) + 1, self._max_bytes, int(anew), *page],
        )
        return bool(kept)


class ReadingInProgress:
    """The reading of one list as it goes on: keeps its pages, and knows when it began.

    Args:
        readings: keeps the pages.
        resource: the list.
        token: fencing token of the refresh.
        stored: bodies of the stored pages by URL.
        began: when this refresh began.
        unfinished: the reading that it goes on with.
    """

    def __init__(
        self,
        readings: UnfinishedReadings,
        resource: Resource,
        *,
        token: int,
        stored: Mapping[str, Body],
        began: Began,
        unfinished: UnfinishedReading,
    ) -> None:
        self._readings = readings
        self._resource = resource
        self._token = token
        self._stored = stored
        self._own = began
        self._is_anew = not unfinished.recent
        self.began = (
            began if self._is_anew else replace(began, invalidated_by=unfinished.invalidated_by)
        )

    def next_of(self, steps: Generator[Step, None, None]) -> Step:
        """The next step. If the list as a whole is wrong, none of its pages is used again.

        Raises:
            OriginError: a page could not be read, or the list kept changing.
        """
        try:
            return next(steps)
        except OriginError as error:
            if error.kind in _OF_THE_WHOLE:
                self.read_again()
            raise

    def note(self, step: PageRead) -> None:
        """Note a page; it is kept if the list has several."""
        if step.is_kept:
            oldest = min(self.began.asked_at, step.read.asked_at)
            self.began = replace(self.began, asked_at=oldest)
        elif step.is_one_of_several:
            self._readings.keep(
                self._resource,
                step,
                token=self._token,
                began=self.began,
                anew=self._is_anew,
                stored=self._stored,
            )
            self._is_anew = False

    def read_again(self) -> None:
        """Begin anew: the pages of a list that was not consistent are not used a second time."""
        self.began = self._own
        self._is_anew = True
        self._readings.discard(self._resource, token=self._token)


def _conditions(resource: Resource) -> dict[str, str]:
    """What must be the same now for kept pages to be used."""
    return {"shapes": public_shapes().digest, "form": str(resource.stored_form)}


def _value_of(kept: KeptPage, *, has_body: bool) -> bytes:
    head = {
        **head_of(kept.page),
        "asked_at": kept.asked_at,
        "status": kept.status,
        "links": dict(kept.links),
        "is_anonymous": kept.is_anonymous,
        "is_changed": kept.is_changed,
    }
    return json.dumps(head).encode() + b"\n" + (kept.page.body.packed() if has_body else b"")


def _page(url: str, value: bytes, bodies: Mapping[str, Body]) -> KeptPage | None:
    """A kept page; None if its body is that of a stored page which is gone."""
    text, _, packed = value.partition(b"\n")
    body = Body.of_packed(packed) if packed else bodies.get(url)
    if body is None:
        return None
    head = json.loads(text)
    of_page = {name: head.pop(name) for name in HEAD}
    return KeptPage(page_from(of_page, body), **head)
