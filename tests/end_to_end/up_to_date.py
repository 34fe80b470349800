"""Waiting until readers serve the list of repositories as GitHub has it, and as it will stay."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from tests.end_to_end.fleet import Reader
from tests.fakegithub.client import Controls
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"


def await_up_to_date(
    github: Controls, *readers: Reader, within: float = 60.0, times: int = 1
) -> None:
    """Wait until all readers serve the repositories of Netflix that GitHub has at the call.

    Both sides build and parse a body of 700 kB for each comparison. So GitHub is asked once, and
    the readers a few times a second.

    Args:
        github: the origin; nothing else may change its repositories meanwhile.
        readers: on which to wait.
        within: seconds to wait at the most.
        times: how often each has to serve them in a row, which meets several of its processes.
    """
    truth = github.repos()
    eventually(
        lambda: all(reader.get(REPOS).json() == truth for reader in readers * times),
        within=within,
        every=0.2,
        what="the readers serve what GitHub has",
    )


def lasts(headers: Mapping[str, str]) -> bool:
    """Whether the next response for the same content has the same `Last-Modified`.

    It is never later than `Date`, by the estimate of Redis's clock that the reader has. So of
    content that has just come it may still grow, and two readers may differ.

    Args:
        headers: of a response, by lower-case name if they are not those of `requests`.
    """
    changed, sent = (parsedate_to_datetime(headers[name]) for name in ("last-modified", "date"))
    return (sent - changed).total_seconds() > 1
