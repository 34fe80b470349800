"""The one way in which a process of ours connects to Redis."""

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.settings import Settings

# Redis is near; what takes longer than this is an outage, and content in memory is better.
CONNECT_TIMEOUT = 1.0
ANSWER_TIMEOUT = 3.0
# A lock's master that is slower counts as away: the time is taken from the lock's life (Redis,
# "Distributed Locks with Redis": small against it).
LOCK_TIMEOUT = 1.0
# Bytes read at once. With redis-py's 64 kB a list of 40 MB takes 640 turns, and in a busy process a
# thread waits for each of them.
READ_SIZE = 1024 * 1024


def connect(settings: Settings) -> Redis:
    """A client with a pool of its own; connections are made when first used.

    Make it after the fork: a connection that two processes share mixes their answers.
    """
    return _client(settings.redis_location, answer_timeout=ANSWER_TIMEOUT)


def connect_to_lock_masters(settings: Settings) -> frozenset[Redis]:
    """A client for each of `REDLOCK_URLS`; empty without."""
    locations = settings.redlock_locations
    return frozenset(_client(url, answer_timeout=LOCK_TIMEOUT) for url in locations)


def _client(url: str, *, answer_timeout: float) -> Redis:
    """Has one immediate retry, for the pooled connection that died while idle; more would only make
    a caller wait through an outage.
    """
    return Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=answer_timeout,
        socket_keepalive=True,
        socket_read_size=READ_SIZE,
        retry=Retry(NoBackoff(), 1),
        client_name="api-read-cache",
    )
