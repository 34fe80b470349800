"""`POST /webhooks/github`: verifies GitHub's deliveries and invalidates the affected resources.

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
from reader.webhooks.affected_resources import Affected, affected
from reader.webhooks.delivery_log import note_delivery
from reader.webhooks.touched_scopes import touched_scopes
from reader.webhooks.withdrawals import verdict
from shared.queue_order import Priority
from shared.queueing import RefreshQueue, RefreshRequest
from shared.redis import event_record, keys
from shared.redis.announcements import Announcement
from shared.redis.withdrawals import admit, withdraw
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource

# GitHub sends up to 25 MB (a push of thousands of commits), and does not deliver what is larger.
# https://docs.github.com/webhooks/webhook-events-and-payloads#payload-cap
MAX_BYTES = 25 * 1024 * 1024
_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
_DELIVERY_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_EVENT = re.compile(r"[a-z0-9_]{1,64}")
_REMEMBER_DELIVERY = timedelta(days=3)  # so long GitHub offers redelivery


@dataclass(frozen=True)
class Delivery:
    """The header fields of a delivery.

    Args:
        signature: of the body: `sha256=` and 64 hexadecimal digits.
        id: of the delivery; the same when GitHub redelivers it.
        event: name of the event.
    """

    signature: str
    id: str
    event: str

    @classmethod
    def of(cls, header: Callable[[str], str]) -> "Delivery":
        """The delivery of a request's header; the body need not have arrived.

        Args:
            header: returns the value of a header field, empty if it is absent.

        Raises:
            Unauthorized: the signature is missing or malformed.
            BadRequest: another field is missing or malformed.
        """
        delivery = cls(
            header("X-Hub-Signature-256"), header("X-GitHub-Delivery"), header("X-GitHub-Event")
        )
        if not _SIGNATURE.fullmatch(delivery.signature):
            raise Unauthorized("X-Hub-Signature-256 is missing or malformed.")
        if not _DELIVERY_ID.fullmatch(delivery.id):
            raise BadRequest("X-GitHub-Delivery is missing or malformed.")
        if not _EVENT.fullmatch(delivery.event):
            raise BadRequest("X-GitHub-Event is missing or malformed.")
        return delivery


class Signature:
    """The claimed signature and the expected ones, which are computed as the body arrives.

    Args:
        claimed: value of `X-Hub-Signature-256`.
        secrets: the accepted secrets.
    """

    def __init__(self, claimed: str, secrets: Sequence[str]) -> None:
        self._claimed = claimed.encode()
        self._expected = [hmac.new(secret.encode(), digestmod=hashlib.sha256) for secret in secrets]

    def feed(self, piece: bytes) -> None:
        """Add the next piece of the body."""
        for one in self._expected:
            one.update(piece)

    def check(self) -> None:
        """Compare the signatures in constant time; call it when the body is complete.

        Raises:
            Unauthorized: the body is not signed with one of the secrets.
        """
        expected = [f"sha256={one.hexdigest()}".encode() for one in self._expected]
        if not any(hmac.compare_digest(self._claimed, one) for one in expected):
            raise Unauthorized("The signature does not match.")


class Webhooks:
    """Handles deliveries; methods may raise `redis.RedisError`.

    Args:
        redis: where deliveries are remembered and changes announced.
        queue: the refresh queue.
        catalogue: the tracked resources.
        secrets: the accepted secrets.
        remember: seconds for which on-demand content from before an event may be held.
    """

    def __init__(
        self,
        redis: Redis,
        queue: RefreshQueue,
        catalogue: Catalogue,
        secrets: Sequence[str],
        *,
        remember: float,
    ) -> None:
        self._redis = redis
        self._queue = queue
        self._catalogue = catalogue
        self._secrets = secrets
        self._remember = remember

    def take(self, body: bytes, delivery: Delivery) -> list[Resource]:
        """Invalidate the resources that an event affects, and enqueue their refreshes.

        A storm of events about one resource causes only a handful of refreshes: the resource has
        one invalidation mark and one job, however often they are made. A redelivery does nothing.

        Args:
            body: of the delivery.
            delivery: its header fields.

        Returns:
            The affected resources.

        Raises:
            Unauthorized: the body is not signed with one of the secrets.
            BadRequest: the body is not a JSON object.
        """
        signature = Signature(delivery.signature, self._secrets)
        signature.feed(body)
        signature.check()
        payload = _payload(body)
        note_delivery(self._redis, delivery.event)
        if self._redis.exists(keys.delivery(delivery.id)):
            return []
        found = self._apply(delivery.event, payload)
        # Only now: a process that is killed before leaves it to a redelivery, which does once more
        # what was done.
        self._redis.set(keys.delivery(delivery.id), 1, ex=_REMEMBER_DELIVERY)
        return [one.resource for one in found]

    def _apply(self, event: str, payload: Mapping[str, Any]) -> Sequence[Affected]:
        """Do all that an event demands, which may be done again; what it affects."""
        include_private = self._catalogue.include_private
        said = verdict(event, payload, include_private=include_private)
        change = withdraw if said.is_withdrawn else admit
        change(self._redis, said.repositories, updated_at=said.updated_at)
        touched = touched_scopes(event, payload, include_private=include_private)
        found = affected(event, payload, self._catalogue, touched)
        event_record.record(self._redis, touched, remember=self._remember)
        self._invalidate(found)
        return found

    def _invalidate(self, found: Sequence[Affected]) -> None:
        """Mark resources, request their refreshes, and announce them."""
        if not found:
            return
        for one in found:
            self._queue.mark(one.resource, item=one.item)
        self._queue.ask_all([RefreshRequest(one.resource, Priority.INVALIDATED) for one in found])
        last = self._redis.incrby(keys.CHANGES, len(found))
        with self._redis.pipeline(transaction=False) as pipeline:
            for number, one in enumerate(found, last - len(found) + 1):
                announcement = Announcement(one.resource.name, number)
                pipeline.publish(keys.ANNOUNCE, announcement.to_json())
            pipeline.execute()


def _payload(body: bytes) -> Mapping[str, Any]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if body.startswith(b"payload="):  # what GitHub chooses for a new webhook
        raise BadRequest("The body is a form: choose application/json for the webhook at GitHub.")
    if not isinstance(payload, dict):
        raise BadRequest("The body is not a JSON object.")
    return payload
