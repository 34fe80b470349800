"""Detects credentials that see more than public data, and names them on the log and status page.

Only public data is served, whatever the credential. But a credential that sees nothing private
cannot leak anything, whatever mistake is made here or at GitHub. Evidence that a credential sees
too much:

- a classic token's scopes, in `X-OAuth-Scopes` of each response;
- the permissions of a GitHub App's installation, which GitHub reports with each of its tokens;
- for every kind of credential, the content of responses: private objects, permission to push,
  billing. For a fine-grained token there is no other evidence. So each finding is proof of a
  privilege, but without a finding a fine-grained token may still have privileges.
"""

import logging
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import cast

from redis import Redis

from refresher.content.narrowing import Findings
from refresher.errors import OriginError
from refresher.github.auth.app_installation import AppInstallation
from refresher.github.auth.credentials import Credential, Token
from refresher.github.exchange import Exchange
from refresher.github.response import GitHubResponse
from shared.budgets import REMEMBER_S
from shared.clock import Clock
from shared.outcomes import FailureKind
from shared.redis import keys
from shared.settings import PrivilegedCredentials

log = logging.getLogger("refresher")

ADVICE = (
    "give refreshers a classic token without any scope, of an account that belongs to no "
    "organisation (README, Credentials)"
)
# Fields that GitHub adds only for those who may see them, and the privilege that they prove.
_REVEALING = {
    "billing_email": "sees an organisation's billing",
    "plan": "sees an account's plan",
    "private_gists": "sees private counts of an account",
    "security_and_analysis": "sees security settings of a repository",
    "total_private_repos": "sees private counts of an account",
}


class Privileges:
    """What this process's refreshes learn about the privileges of credentials.

    Args:
        redis: holds the fleet's findings.
        policy: what to do about a credential that sees too much.
        clock: the process's clock.
    """

    def __init__(
        self,
        redis: Redis,
        policy: PrivilegedCredentials,
        *,
        clock: Clock,
    ) -> None:
        self._redis = redis
        self._policy = policy
        self._clock = clock
        self._found: dict[str, set[str]] = {}
        self._lock = Lock()

    def observe(self, exchange: Exchange) -> None:
        """Note what a response's header says about its credential; thread-safe."""
        if exchange.status is not None:
            self._note(exchange.credential.id, exchange.credential.excess(exchange.headers))

    def note_findings(self, response: GitHubResponse, findings: Findings) -> None:
        """Note what a response's content shows about its credential."""
        if not response.is_anonymous:
            self._note(response.credential, shown_by(findings))

    def check(self) -> None:
        """Store what was found, and log what is new; may raise `redis.RedisError`.

        Raises:
            OriginError: a credential sees too much, and `PRIVILEGED_CREDENTIALS=refuse`.
        """
        with self._lock:
            found, self._found = self._found, {}
        for credential, privileges in sorted(found.items()):
            self._publish(credential, sorted(privileges))
            if self._policy is PrivilegedCredentials.REFUSE:
                reason = f"{_named(credential, privileges)} (PRIVILEGED_CREDENTIALS=refuse)"
                raise OriginError(FailureKind.UNAUTHORIZED, reason)

    def scopeless(self, credentials: Iterable[Credential]) -> frozenset[str]:
        """Ids of the classic tokens that, as GitHub says, have no scope.

        https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps: without
        a scope they have "read-only access to public information".
        """
        classic = [one.id for one in credentials if isinstance(one, Token) and one.is_classic]
        if not classic:
            return frozenset()
        with self._redis.pipeline(transaction=False) as pipeline:
            for credential in classic:
                pipeline.hget(keys.credential(credential), "scopes")
                pipeline.exists(keys.privileges(credential))
            responses = pipeline.execute()
        known = zip(classic, responses[::2], responses[1::2], strict=True)
        return frozenset(
            credential
            for credential, scopes, is_privileged in known
            if scopes == b"" and not is_privileged
        )

    def without_members(self, credentials: Sequence[Credential]) -> frozenset[str]:
        """Ids of the credentials that do not see concealed members of an organisation."""
        apps = {
            one.id for one in credentials if isinstance(one, AppInstallation) and one.is_outside
        }
        return self.scopeless(credentials) | apps

    def confirms(self, response: GitHubResponse, credentials: Iterable[Credential]) -> bool:
        """Whether a response confirms the property for which its credential was chosen.

        Args:
            response: to a request with a credential of `scopeless` or `without_members`.
            credentials: all credentials.
        """
        asker = next((one for one in credentials if one.id == response.credential), None)
        if isinstance(asker, AppInstallation):
            return asker.is_outside
        return response.headers.get("X-OAuth-Scopes") == ""

    def _note(self, credential: str, privileges: Sequence[str]) -> None:
        if privileges:
            with self._lock:
                self._found.setdefault(credential, set()).update(privileges)

    def _publish(self, credential: str, privileges: Sequence[str]) -> None:
        key, now = keys.privileges(credential), self._clock.now()
        with self._redis.pipeline() as pipeline:
            pipeline.hset(key, items=[part for one in privileges for part in (one, now)])
            pipeline.expire(key, REMEMBER_S)
            is_new = cast(int, pipeline.execute()[0]) > 0
        if is_new:
            log.warning("%s: %s", _named(credential, privileges), ADVICE)


def shown_by(findings: Findings) -> list[str]:
    """The privileges that a response's content proves, in words."""
    telling = {place.rpartition(".")[2] for place in findings.dropped} & _REVEALING.keys()
    shown = {_REVEALING[key] for key in telling}
    if findings.marks:
        shown.add("sees what is private")
    if findings.may_push:
        shown.add("may push to a repository")
    return sorted(shown)


def found_since(redis: Redis, credentials: Iterable[Credential], since: float) -> str | None:
    """The privileges of one of our credentials that were seen since then, in one line; or None.

    Args:
        redis: holds the fleet's findings.
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
