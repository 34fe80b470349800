"""`POST /webhooks/github`: being told of changes instead of asking for them.

https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from redis import Redis

from reader.errors import BadRequest, Unauthorized
from reader.events import touched
from shared import keys
from shared.announcements import Announcement
from shared.queueing import RefreshQueue
from shared.resources import Catalogue, Resource

# GitHub sends up to 25 MB, of which we need two names. An event that is larger than this (a push
# of thousands of commits) is refused, and its change seen when the content becomes stale.
MAX_BYTES = 5 * 1024 * 1024
_DELIVERY_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_REMEMBER_DELIVERY = timedelta(days=3)  # so long GitHub offers a delivery again


def is_signed(body: bytes, signature: str, secrets: Sequence[str]) -> bool:
    """Whether a body was signed with one of the secrets, compared in constant time."""
    expected = [_signature(body, secret).encode() for secret in secrets]
    return any(hmac.compare_digest(signature.encode(), one) for one in expected)


class Webhooks:
    """Takes deliveries; methods may raise `redis.RedisError`.

    Args:
        redis: where deliveries and tellings are noted.
        queue: where refreshes are asked for.
        catalogue: what is tracked.
        secrets: that deliveries may be signed with.
    """

    def __init__(
        self, redis: Redis, queue: RefreshQueue, catalogue: Catalogue, secrets: Sequence[str]
    ) -> None:
        self._redis = redis
        self._queue = queue
        self._catalogue = catalogue
        self._secrets = secrets

    def take(self, body: bytes, *, signature: str, delivery: str, event: str) -> list[Resource]:
        """Have what an event touches refreshed, and say what that is.

        A storm of events about one resource makes a handful of refreshes: the mark that is left
        for them is one, and so is the job, however often they are made.

        Args:
            body: of the delivery.
            signature: value of `X-Hub-Signature-256`.
            delivery: value of `X-GitHub-Delivery`.
            event: value of `X-GitHub-Event`.

        Raises:
            Unauthorized: it is not signed with a secret of ours.
            BadRequest: it is not a delivery of GitHub's.
        """
        if not is_signed(body, signature, self._secrets):
            raise Unauthorized("The signature does not match.")
        if not _DELIVERY_ID.fullmatch(delivery):
            raise BadRequest("X-GitHub-Delivery is missing or odd.")
        payload = _payload(body)
        resources = touched(event, payload, self._catalogue)
        if not self._redis.set(keys.delivery(delivery), 1, nx=True, ex=_REMEMBER_DELIVERY):
            return []
        for resource in resources:
            self._tell(resource)
        return resources

    def _tell(self, resource: Resource) -> None:
        self._queue.mark(resource)
        self._queue.ask(resource, urgent=True)
        number = self._redis.incr(keys.CHANGES)
        self._redis.publish(keys.ANNOUNCE, Announcement(resource.name, number).to_json())


def _payload(body: bytes) -> Mapping[str, Any]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise BadRequest("The body is not a JSON object.")
    return payload


def _signature(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
