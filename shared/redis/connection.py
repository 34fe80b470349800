"""The one way in which a process of ours connects to Redis."""

import ssl
from collections.abc import Mapping
from typing import Any

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.redis import sentinel_url
from shared.redis.sentinels import AllSentinels
from shared.settings import Settings

# Redis is near; what takes longer than this is an outage, and content in memory is better.
CONNECT_TIMEOUT = 1.0
RESPONSE_TIMEOUT = 3.0
# A lock's master that is slower counts as away: the time is taken from the lock's life (Redis,
# "Distributed Locks with Redis": small against it).
LOCK_TIMEOUT = 1.0
# A sentinel that takes longer is passed over for the next.
SENTINEL_TIMEOUT = 0.5
# Bytes read at once. With redis-py's 64 kB a list of 40 MB takes 640 turns, and in a busy process a
# thread waits for each of them.
READ_SIZE = 1024 * 1024


def connect(settings: Settings) -> Redis:
    """A client of the Redis of the settings; see `client_of`."""
    return client_of(settings.redis_location)


def client_of(location: str) -> Redis:
    """A client with a pool of its own; connections are made when first used.

    Make it after the fork: a connection that two processes share mixes their answers.

    Args:
        location: a URL, of a Redis or of the sentinels that know where the master is.
    """
    if not sentinel_url.is_sentinel_url(location):
        return Redis.from_url(location, **_options())
    asked = sentinel_arguments(location)
    sentinel = AllSentinels(  # type: ignore[no-untyped-call]
        asked["INSTANCES"], sentinel_kwargs=asked["SENTINEL_KWARGS"], **asked["CONNECTION_KWARGS"]
    )
    client: Redis = sentinel.master_for(asked["MASTER_NAME"])  # type: ignore[no-untyped-call]
    return client


def connect_to_lock_masters(settings: Settings) -> frozenset[Redis]:
    """A client for each of `REDLOCK_URLS`; empty without."""
    options = _options(answer_timeout=LOCK_TIMEOUT)
    return frozenset(Redis.from_url(url, **options) for url in settings.redlock_locations)


def sentinel_arguments(location: str) -> dict[str, Any]:
    """What a client needs to be told of sentinels, as RQ's `SENTINEL` has it."""
    url = sentinel_url.parse(location)
    of_sentinels = _options(connect_timeout=SENTINEL_TIMEOUT, answer_timeout=SENTINEL_TIMEOUT)
    return {
        "INSTANCES": list(url.sentinels),
        "MASTER_NAME": url.master,
        "CONNECTION_KWARGS": {**_options(), **url.options},
        "SENTINEL_KWARGS": {**of_sentinels, **url.sentinel_options},
    }


def reason_of(error: RedisError) -> str:
    """Why Redis cannot be reached or asked, in a few words and without anything secret."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"Redis's certificate is refused: {cause.verify_message} (see REDIS_CA_FILE)"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _options(
    *, connect_timeout: float = CONNECT_TIMEOUT, answer_timeout: float = RESPONSE_TIMEOUT
) -> Mapping[str, Any]:
    """Of every connection; times in seconds.

    One immediate retry, for the pooled connection that died while idle; more would only make
    a caller wait through an outage. Behind sentinels it asks them again where the master is.
    """
    return {
        "socket_connect_timeout": connect_timeout,
        "socket_timeout": answer_timeout,
        "socket_keepalive": True,
        "socket_read_size": READ_SIZE,
        "retry": Retry(NoBackoff(), 1),
        "client_name": "api-read-cache",
    }
