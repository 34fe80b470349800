"""`POST /webhooks/github`: being told of changes instead of asking for them.

https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis import Redis

from reader.errors import BadRequest, Unauthorized
from reader.webhooks.affected_resources import affected
from shared.queueing import RefreshQueue
from shared.redis import keys
from shared.redis.announcements import Announcement
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource

# GitHub sends up to 25 MB, of which we need two names. An event that is larger than this (a push
# of thousands of commits) is refused, and its change seen when the content becomes stale.
MAX_BYTES = 5 * 1024 * 1024
_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
_DELIVERY_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_EVENT = re.compile(r"[a-z0-9_]{1,64}")
_REMEMBER_DELIVERY = timedelta(days=3)  # so long GitHub offers a delivery again


@dataclass(frozen=True)
class Delivery:
    """What the header fields of a delivery say.

    Args:
        signature: of its body: `sha256=` and 64 hexadecimal digits.
        id: of the delivery; the same when GitHub sends it again.
        event: what happened.
    """

    signature: str
    id: str
    event: str

    @classmethod
    def of(cls, header: Callable[[str], str]) -> "Delivery":
        """The delivery that a request is the head of; its body need not have come.

        Args:
            header: gives the value of a header field, empty where it is absent.

        Raises:
            Unauthorized: there is no signature.
            BadRequest: something else is missing.
        """
        delivery = cls(
            header("X-Hub-Signature-256"), header("X-GitHub-Delivery"), header("X-GitHub-Event")
        )
        if not _SIGNATURE.fullmatch(delivery.signature):
            raise Unauthorized("X-Hub-Signature-256 is missing or odd.")
        if not _DELIVERY_ID.fullmatch(delivery.id):
            raise BadRequest("X-GitHub-Delivery is missing or odd.")
        if not _EVENT.fullmatch(delivery.event):
            raise BadRequest("X-GitHub-Event is missing or odd.")
        return delivery


class Signature:
    """A signature, and what the body would be signed with, worked out as it comes.

    Args:
        claimed: value of `X-Hub-Signature-256`.
        secrets: that it may be signed with.
    """

    def __init__(self, claimed: str, secrets: Sequence[str]) -> None:
        self._claimed = claimed.encode()
        self._expected = [hmac.new(secret.encode(), digestmod=hashlib.sha256) for secret in secrets]

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        for one in self._expected:
            one.update(piece)

    def check(self) -> None:
        """Compare, in constant time, once the body is complete.

        Raises:
            Unauthorized: it was not signed with one of the secrets.
        """
        expected = [f"sha256={one.hexdigest()}".encode() for one in self._expected]
        if not any(hmac.compare_digest(self._claimed, one) for one in expected):
            raise Unauthorized("The signature does not match.")


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

    def take(self, body: bytes, delivery: Delivery) -> list[Resource]:
        """Have what an event touches refreshed, and say what that is.

        A storm of events about one resource makes a handful of refreshes: the mark that is left
        for them is one, and so is the job, however often they are made.

        Args:
            body: of the delivery.
            delivery: what its header fields say.

        Raises:
            Unauthorized: it is not signed with a secret of ours.
            BadRequest: it is not a delivery of GitHub's.
        """
        signature = Signature(delivery.signature, self._secrets)
        signature.feed(body)
        signature.check()
        payload = _payload(body)
        resources = [one.resource for one in affected(delivery.event, payload, self._catalogue)]
        if not self._redis.set(keys.delivery(delivery.id), 1, nx=True, ex=_REMEMBER_DELIVERY):
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
