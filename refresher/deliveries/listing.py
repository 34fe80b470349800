"""Reads the list of a webhook's deliveries, the newest first, back to what was seen last time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from refresher.deliveries.attempts import Attempt, attempts_in
from refresher.deliveries.hook_api import HookApi, HookError
from refresher.deliveries.lost import REMEMBERED_S

MOST_PAGES = 30  # of 100 attempts
# Seconds of the list that are read again: an attempt is listed when it has ended, ten seconds after
# it began at the latest, and lists of GitHub's may lag.
OVERLAP_S = 120.0


@dataclass(frozen=True)
class Listing:
    """The attempts since the last look.

    Args:
        attempts: the newest first; empty if nothing has changed.
        etag: of the first page.
        is_complete: they reach back to the last look.
    """

    attempts: Sequence[Attempt]
    etag: str
    is_complete: bool


def read(api: HookApi, hook: str, *, since: float, etag: str, go_on: Callable[[], None]) -> Listing:
    """Read the list.

    Args:
        api: GitHub.
        hook: path of the webhook.
        since: time of the newest attempt that was seen, by GitHub's clock; 0 for all of three days.
        etag: of the first page at that time.
        go_on: called before each request but the first; raises if no further one may be sent.

    Raises:
        HookError: GitHub gave no answer of use.
    """
    path = f"{hook}/deliveries?"
    answer = api.get(f"{path}per_page=100", etag=etag)
    if answer.status == 304:
        return Listing((), etag, is_complete=True)
    found = list(attempts_in(answer.body))
    first_etag = answer.etag
    for _ in range(MOST_PAGES - 1):
        oldest = min((one.at for one in found), default=0.0)
        newest = max((one.at for one in found), default=0.0)
        if not answer.following or oldest < max(since - OVERLAP_S, newest - REMEMBERED_S):
            return Listing(found, first_etag, is_complete=True)
        if not answer.following.startswith(path):
            raise HookError("GitHub leads to an address that is not of this list")
        go_on()
        answer = api.get(answer.following)
        found += attempts_in(answer.body)
    return Listing(found, first_etag, is_complete=not answer.following)
