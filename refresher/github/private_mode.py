"""Whether an enterprise server shows anything to those whom it does not know.

With GitHub Enterprise Server as the origin, the public is what it shows without a credential. In
its private mode that is nothing: an unauthorised request is answered 401, whatever it asks for.
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
    """Let pass what is public at the origin; may raise `redis.RedisError`.

    Nothing is asked where everybody is known not to be refused: at github.com, or without a
    credential.

    Raises:
        OriginError: the origin is in private mode, or it could not be asked.
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
            "INCLUDE_PRIVATE=true serves it all the same"
        )
        raise OriginError(FailureKind.UNAUTHORIZED, reason)
