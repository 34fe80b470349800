"""Checks whether a GitHub Enterprise Server shows anything without a credential.

With such a server as the origin, public data is what it shows without a credential. In its private
mode this is nothing: every request without a credential gets a 401.
https://docs.github.com/enterprise-server/admin/configuring-settings/hardening-security-for-your-enterprise/enabling-private-mode
"""

from typing import cast

from redis import Redis

from refresher.errors import OriginError
from refresher.github.client import GitHubClient
from shared.outcomes import FailureKind
from shared.redis import keys

_OPEN_FOR_S = 3600
_CLOSED_FOR_S = 300
_CLOSED = frozenset({401, 403})


def check_open(origin: GitHubClient, redis: Redis) -> None:
    """Check that the server is not in private mode; may raise `redis.RedisError`.

    Sends no request if the result is known: for github.com, and if there is no credential. Redis
    remembers the result, an hour for an open server and five minutes for a closed one.

    Raises:
        OriginError: the server is in private mode, or the request failed.
    """
    if not origin.is_enterprise or all(one.is_anonymous for one in origin.credentials):
        return
    known = cast(bytes | None, redis.get(keys.ORIGIN_OPEN))
    if known is None:
        status = origin.get(origin.url_of("/"), among=()).status
        if status != 200 and status not in _CLOSED:
            reason = f"GitHub does not say what it shows without a credential (answered {status})"
            raise OriginError(FailureKind.STATUS, reason, status=status)
        is_open = status == 200
        redis.set(keys.ORIGIN_OPEN, int(is_open), ex=_OPEN_FOR_S if is_open else _CLOSED_FOR_S)
    else:
        is_open = known == b"1"
    if not is_open:
        reason = (
            "this GitHub shows nothing without a credential (private mode), so nothing is public; "
            "with INCLUDE_PRIVATE=true its content is served nevertheless"
        )
        raise OriginError(FailureKind.UNAUTHORIZED, reason)
