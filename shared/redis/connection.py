"""Connections to Redis: the only module that creates clients, with their timeouts."""

import ssl
from collections.abc import Mapping
from typing import Any

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared import sentinel_url
from shared.redis.sentinels import AllSentinels
from shared.settings import Settings

# Seconds. Redis is near: a slower response is an outage, and then content in memory is better.
CONNECT_TIMEOUT = 1.0
RESPONSE_TIMEOUT = 3.0
# Seconds. A slower lock master counts as away: the time is taken from the lock's validity (Redis,
# "Distributed Locks with Redis": small against it).
LOCK_TIMEOUT = 1.0
# Seconds. A slower sentinel is skipped for the next.
SENTINEL_TIMEOUT = 0.5
# Bytes per read. With redis-py's 64 kB, a list of 40 MB takes 640 reads, and in a busy process a
# thread waits for its turn before each of them.
READ_SIZE = 1024 * 1024


def connect(settings: Settings) -> Redis:
    """A client of the Redis in the settings; see `client_of`."""
    return client_of(settings.redis_location)


def client_of(location: str) -> Redis:
    """A client with its own connection pool; connections are made when first used.

    Create it after the fork: two processes that share a connection mix up its replies.

    Args:
        location: a URL of a Redis, or of the sentinels that know its master.
    """
    if not sentinel_url.is_sentinel_url(location):
        return Redis.from_url(location, **_options())
    arguments = sentinel_arguments(location)
    sentinel = AllSentinels(  # type: ignore[no-untyped-call]
        arguments["INSTANCES"],
        sentinel_kwargs=arguments["SENTINEL_KWARGS"],
        **arguments["CONNECTION_KWARGS"],
    )
    client: Redis = sentinel.master_for(arguments["MASTER_NAME"])  # type: ignore[no-untyped-call]
    return client


def connect_to_lock_masters(settings: Settings) -> frozenset[Redis]:
    """A client for each of `REDLOCK_URLS`; empty if that is not set."""
    options = _options(response_timeout=LOCK_TIMEOUT)
    return frozenset(Redis.from_url(url, **options) for url in settings.redlock_locations)


def sentinel_arguments(location: str) -> dict[str, Any]:
    """A client's arguments for sentinels, in the form of RQ's `SENTINEL` setting."""
    url = sentinel_url.parse(location)
    of_sentinels = _options(connect_timeout=SENTINEL_TIMEOUT, response_timeout=SENTINEL_TIMEOUT)
    return {
        "INSTANCES": list(url.sentinels),
        "MASTER_NAME": url.master,
        "CONNECTION_KWARGS": {**_options(), **url.options},
        "SENTINEL_KWARGS": {**of_sentinels, **url.sentinel_options},
    }


def reason_of(error: RedisError) -> str:
    """Why Redis did not respond, in a few words and without secrets."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"Redis's certificate is rejected: {cause.verify_message} (see REDIS_CA_FILE)"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _options(
    *, connect_timeout: float = CONNECT_TIMEOUT, response_timeout: float = RESPONSE_TIMEOUT
) -> Mapping[str, Any]:
    """The options of every connection; timeouts in seconds.

    One immediate retry, for a pooled connection that died while idle; more retries would only
    make a caller wait through an outage. With sentinels, the retry asks them for the master again.
    """
    return {
        "socket_connect_timeout": connect_timeout,
        "socket_timeout": response_timeout,
        "socket_keepalive": True,
        "socket_read_size": READ_SIZE,
        "retry": Retry(NoBackoff(), 1),
        "client_name": "api-read-cache",
    }
