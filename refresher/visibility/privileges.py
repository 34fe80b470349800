"""Credentials that see more than the public: found by what GitHub says and shows, and named.

What is served stays public with any credential; but one that sees nothing private cannot betray
anything, whatever mistake is made here or at GitHub. What proves that a credential sees too much:

- a classic token's scopes, in `X-OAuth-Scopes` of each answer;
- the permissions of a GitHub App's installation, which GitHub names with each of its tokens;
- for every kind what its answers show: private objects, permission to push, billing. A fine-grained
  token shows nothing else, so this proves too much and never too little.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import cast

from redis import Redis

from refresher.content.narrowing import Findings
from refresher.errors import OriginError
from refresher.github.auth.app_installation import AppInstallation
from refresher.github.auth.credentials import Credential, Token
from refresher.github.response import GitHubResponse
from refresher.reporting.meter import Exchange
from shared.outcomes import FailureKind
from shared.redis import keys
from shared.settings import PrivilegedCredentials

log = logging.getLogger("refresher")

_REMEMBER_S = 24 * 3600  # of the last time that it was seen
ADVICE = (
    "give refreshers a classic token without any scope, of an account that belongs to no "
    "organisation (README, Credentials)"
)
# Keys that GitHub adds for those who may see them, and what they show.
_TELLING = {
    "billing_email": "sees an organisation's billing",
    "plan": "sees an account's plan",
    "private_gists": "sees private counts of an account",
    "security_and_analysis": "sees security settings of a repository",
    "total_private_repos": "sees private counts of an account",
}


class Privileges:
    """What the refreshes of one process learn of their credentials' privileges.

    Args:
        redis: where the fleet remembers it.
        policy: what to do about a credential that sees too much.
        clock: gives Unix time in seconds.
    """

    def __init__(
        self,
        redis: Redis,
        policy: PrivilegedCredentials = PrivilegedCredentials.WARN,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
        self._policy = policy
        self._clock = clock
        self._found: dict[str, set[str]] = {}
        self._lock = Lock()

    def observe(self, exchange: Exchange) -> None:
        """Take note of what GitHub says of a credential; called by several threads."""
        if exchange.status is not None:
            self._note(exchange.credential.id, exchange.credential.excess(exchange.headers))

    def note_findings(self, response: GitHubResponse, findings: Findings) -> None:
        """Take note of what an answer shows of the credential that it was given to."""
        if not response.is_anonymous:
            self._note(response.credential, shown_by(findings))

    def check(self) -> None:
        """Tell the fleet of what was found, loudly when it is new; may raise `redis.RedisError`.

        Raises:
            OriginError: a credential sees too much, and the settings refuse such.
        """
        with self._lock:
            found, self._found = self._found, {}
        for credential, privileges in sorted(found.items()):
            self._tell(credential, sorted(privileges))
            if self._policy is PrivilegedCredentials.REFUSE:
                reason = f"{_named(credential, privileges)} (PRIVILEGED_CREDENTIALS=refuse)"
                raise OriginError(FailureKind.UNAUTHORIZED, reason)

    def scopeless(self, credentials: Iterable[Credential]) -> frozenset[str]:
        """Ids of the classic tokens of which GitHub says that they have no scope.

        https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps: without
        one they have "read-only access to public information".
        """
        classic = [one.id for one in credentials if isinstance(one, Token) and one.is_classic]
        if not classic:
            return frozenset()
        with self._redis.pipeline(transaction=False) as pipeline:
            for credential in classic:
                pipeline.hget(keys.credential(credential), "scopes")
                pipeline.exists(keys.privileges(credential))
            responses = pipeline.execute()
        invalidated_by = zip(classic, responses[::2], responses[1::2], strict=True)
        return frozenset(
            credential
            for credential, scopes, is_privileged in invalidated_by
            if scopes == b"" and not is_privileged
        )

    def without_members(self, credentials: Sequence[Credential]) -> frozenset[str]:
        """Ids of the credentials that do not see who conceals a membership of an organisation."""
        apps = {
            one.id for one in credentials if isinstance(one, AppInstallation) and one.is_outside
        }
        return self.scopeless(credentials) | apps

    def confirms(self, response: GitHubResponse, credentials: Iterable[Credential]) -> bool:
        """Whether an answer says of the credential that was chosen for it what it was chosen for.

        Args:
            answer: to a credential that was among those of `scopeless` or `without_members`.
            credentials: to find it in.
        """
        asker = next((one for one in credentials if one.id == response.credential), None)
        if isinstance(asker, AppInstallation):
            return asker.is_outside
        return response.headers.get("X-OAuth-Scopes") == ""

    def _note(self, credential: str, privileges: Sequence[str]) -> None:
        if privileges:
            with self._lock:
                self._found.setdefault(credential, set()).update(privileges)

    def _tell(self, credential: str, privileges: Sequence[str]) -> None:
        key, now = keys.privileges(credential), self._clock()
        with self._redis.pipeline() as pipeline:
            pipeline.hset(key, items=[part for one in privileges for part in (one, now)])
            pipeline.expire(key, _REMEMBER_S)
            is_new = cast(int, pipeline.execute()[0]) > 0
        if is_new:
            log.warning("%s: %s", _named(credential, privileges), ADVICE)


def shown_by(findings: Findings) -> list[str]:
    """What an answer shows that only some may see, for people."""
    telling = {place.rpartition(".")[2] for place in findings.dropped} & _TELLING.keys()
    shown = {_TELLING[key] for key in telling}
    if findings.marks:
        shown.add("sees what is private")
    if findings.may_push:
        shown.add("may push to a repository")
    return sorted(shown)


def found_since(redis: Redis, credentials: Iterable[Credential], since: float) -> str | None:
    """What was found of one of the credentials since then, in one line; None for nothing.

    Args:
        redis: where the fleet remembers it.
        credentials: ours.
        since: Unix time in seconds.
    """
    for credential in credentials:
        known = cast(dict[bytes, bytes], redis.hgetall(keys.privileges(credential.id)))
        seen = [name.decode() for name, at in known.items() if float(at) >= since]
        if seen:
            return _named(credential.id, seen)
    return None


def _named(credential: str, privileges: Iterable[str]) -> str:
    return f"credential {credential} sees more than the public: {'; '.join(sorted(privileges))}"
