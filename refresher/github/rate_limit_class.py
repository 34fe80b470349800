"""Which of GitHub's rate limits a path counts against.

GitHub has several limits ("core", "search", "dependency_sbom" and more), and each response names
its own in `X-RateLimit-Resource`. GitHub decides which paths belong to which, so none are listed
here: what a response said is remembered by the shape of its path.
https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from typing import cast
from urllib.parse import urlsplit

from redis import Redis

from refresher.github.rate_limit_headers import class_of
from shared.clock import Clock
from shared.redis import keys
from shared.resources.operations import operation_of

CORE = "core"
# How many of the following segments are names that people chose, by the first segment.
_NAMES_AFTER = {"repos": 2, "orgs": 1, "users": 1}
_KNOWN_FOR = 60.0  # seconds until Redis is read again
_LONGEST = 6  # segments


def shape_of(path: str) -> str:
    """A path without the names in it: the template of its operation, `/repos/{owner}/{repo}/tags`.

    A path that GitHub does not document is one that it redirects to.

    Args:
        path: below the API's base URL.
    """
    asked = urlsplit(path).path
    operation = operation_of(asked)[1]
    if operation is not None:
        return operation.path
    first, *others = asked.strip("/").split("/")[:_LONGEST]
    names = _NAMES_AFTER.get(first, 0)
    kept = ["*" if at < names or other.isdigit() else other for at, other in enumerate(others)]
    return "/" + "/".join([first, *kept])


class RateLimitClasses:
    """What the fleet knows of the classes of paths; methods may raise `redis.RedisError`.

    Redis is read once a minute. What this process learns meanwhile it keeps itself, and writes to
    Redis. Several threads may use one object.
    """

    def __init__(self, redis: Redis, *, clock: Clock) -> None:
        self._redis = redis
        self._monotonic = clock.monotonic
        self._known: dict[str, str] = {}
        self._known_until: float | None = None

    def of(self, shape: str) -> str:
        """The class of paths of a shape: the core, unless a response said otherwise."""
        now = self._monotonic()
        if self._known_until is None or now >= self._known_until:
            self._known_until = now + _KNOWN_FOR
            known = cast(dict[bytes, bytes], self._redis.hgetall(keys.CLASSES))
            classes = {shape: class_of(name.decode("latin-1")) for shape, name in known.items()}
            self._known = {
                shape.decode("latin-1"): name for shape, name in classes.items() if name is not None
            }
        return self._known.get(shape, CORE)

    def remember(self, shape: str, resource_class: str) -> None:
        """Note the class of paths of a shape. Only classes other than the core are stored."""
        self._known[shape] = resource_class
        if resource_class == CORE:
            self._redis.hdel(keys.CLASSES, shape)
        else:
            self._redis.hset(keys.CLASSES, shape, resource_class)
