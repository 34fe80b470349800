"""Requests to GitHub about webhooks, with a credential that is used for nothing else.

They are few, one after the other, and pass beside the fleet's budget: their credential is not one
of those that fetch content. They leave the last tenth of its limit unused.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from urllib3.exceptions import HTTPError as TransportError

from refresher.errors import OriginError
from refresher.github.body import message_in, read_body
from refresher.github.client import links_in
from refresher.github.rate_limit_headers import UNSAID_PAUSE, asked_pause, primary_limit
from refresher.github.request_headers import Selected
from refresher.github.transport import Transport, failure_of, prepared
from shared.clock import Clock
from shared.time_bounds import LONGEST_PAUSE

_MAX_BYTES = 4 * 1024 * 1024  # a page of 100 deliveries has about 40 kB
_LEFT_ALONE = 0.1  # share of the hour's requests
_LIMIT_WORDS = re.compile(r"secondary rate limit|\babuse\b", re.IGNORECASE)


class HookError(Exception):
    """GitHub cannot be asked about webhooks, or gives no answer that is of use.

    Args:
        reason: one line for a person; never contains a secret.
        said: GitHub's own message, for the log only; empty without one.
        status: GitHub's status; 0 if there was no response.
        pause: seconds for which GitHub wants no further requests; 0 if it does not say so.
    """

    def __init__(self, reason: str, *, said: str = "", status: int = 0, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.said = said
        self.reason = reason
        self.status = status
        self.pause = pause


@dataclass(frozen=True)
class HookAnswer:
    """An answer of GitHub's with status 2xx or 304.

    Args:
        status: 304 if nothing has changed.
        body: as JSON; None without one.
        etag: for the next conditional request; empty if GitHub sent no ETag.
        following: path (with query) of the next page; empty on the last one.
    """

    status: int
    body: Any = None
    etag: str = ""
    following: str = ""


class HookApi:
    """Sends requests about webhooks; make one for each look.

    Args:
        transport: the connections of the process.
        authorization: returns the value of the `Authorization` header, a secret.
        count: called with the status of each response, 0 for none.
        clock: the process's clock.
    """

    def __init__(
        self,
        transport: Transport,
        authorization: Callable[[], str],
        *,
        count: Callable[[int], None],
        clock: Clock,
    ) -> None:
        self._transport = transport
        self._settings = transport.settings
        self._authorization = authorization
        self._count = count
        self._clock = clock
        self._rest = 0.0  # seconds until the limit of a credential that is nearly used starts anew

    def get(self, target: str, *, etag: str = "") -> HookAnswer:
        """Read something.

        Args:
            target: path (with query) below the API's base URL.
            etag: of what is known; the answer may then be a 304.

        Raises:
            HookError: there was no answer of use.
        """
        return self._ask("GET", target, {"If-None-Match": etag} if etag else {})

    def post(self, target: str) -> None:
        """Ask for a redelivery: nothing else is let through (`permitted_requests`).

        Raises:
            HookError: GitHub did not accept it.
        """
        self._ask("POST", target, {"Content-Length": "0"})

    def _ask(self, method: str, target: str, more: Mapping[str, str]) -> HookAnswer:
        if self._rest:
            raise HookError("most of the rate limit of its credential is used", pause=self._rest)
        base, settings = self._settings.github_api_url, self._settings
        url, ends_at = base + target, self._clock.monotonic() + settings.origin_deadline

        def is_late() -> bool:
            return self._clock.monotonic() > ends_at

        selected = Selected(api_version=settings.github_api_version).headers
        headers = {**selected, **more, "Authorization": self._authorization()}
        status = 0
        try:
            request = prepared(method, url, headers)
            with self._transport.exchange(request, ends_at=ends_at) as raw:
                status = raw.status_code
                body = read_body(raw, max_bytes=_MAX_BYTES, is_late=is_late)
                following = links_in(raw, url, base).get("next", "")
        except OriginError as error:
            raise HookError(error.reason, status=status) from error
        except (requests.RequestException, TransportError, OSError) as error:
            raise HookError(failure_of(error, is_late=is_late()).reason) from error
        except ValueError as error:
            raise HookError("GitHub gave an invalid address", status=status) from error
        finally:
            self._count(status)
        self._look_at_limit(raw.headers)
        self._refuse_errors(status, raw.headers, body)
        known = _json_of(body) if status != 304 else None
        etag = raw.headers.get("ETag", "")
        return HookAnswer(status, known, etag, following.removeprefix(base))

    def _look_at_limit(self, headers: Mapping[str, str]) -> None:
        said = primary_limit(headers)
        if said is not None and said.remaining < said.limit * _LEFT_ALONE:
            self._rest = min(max(said.reset - self._clock.now(), 1.0), LONGEST_PAUSE)

    def _refuse_errors(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        if 200 <= status < 300 or status == 304:
            return
        said = message_in(body)
        pause = asked_pause(headers, now=self._clock.now())
        is_limit = status == 429 or (
            status == 403 and (pause is not None or _LIMIT_WORDS.search(said) is not None)
        )
        if is_limit:
            wait = UNSAID_PAUSE if pause is None else min(pause, LONGEST_PAUSE)
            raise HookError("GitHub's rate limit was met", status=status, pause=max(wait, 1.0))
        raise HookError(f"GitHub answered {status}", said=said, status=status)


def _json_of(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        raise HookError("GitHub's answer is no JSON") from None
