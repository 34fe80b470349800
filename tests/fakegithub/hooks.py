"""Webhooks that the stand-in sends after mutations: late, doubled, out of order, or not at all."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3

from tests.fakegithub import webhooks
from tests.fakegithub.delivery_log import FAILED_TO_CONNECT, Attempt, DeliveryLog

# The event of each mutation that GitHub tells of; `repository` names the item if it is one.
EVENTS: Final = {
    "star": ("star", "created"),
    "rename": ("repository", "renamed"),
    "delete": ("repository", "deleted"),
    "add": ("repository", "created"),
    "make_private": ("repository", "privatized"),
    "make_public": ("repository", "publicized"),
    "push": ("push", ""),
    "edit_repo": ("repository", "edited"),
    "edit_org": ("organization", "renamed"),
    "add_member": ("organization", "member_added"),
    "remove_member": ("organization", "member_removed"),
}


@dataclass(frozen=True)
class Hook:
    """Where deliveries go, and what goes wrong with them.

    url: of the receiver; empty for none.
    secret: signs deliveries.
    delay: seconds until a delivery.
    jitter: up to so many seconds more, at random: deliveries change their order.
    doubled: share of deliveries that are sent twice, with the same id.
    lost: share of deliveries that are not sent; GitHub remembers them as failed.
    of: "org" or "app": whose webhook it is, and so who may list its deliveries.
    id: of an organisation's webhook.
    """

    url: str = ""
    secret: str = ""
    delay: float = 0
    jitter: float = 0
    doubled: float = 0
    lost: float = 0
    of: str = "org"
    id: int = 1


NO_HOOK: Final = Hook()


@dataclass
class Hooks:
    """Sends deliveries, and remembers them; `lost` counts those that were not sent.

    dice: decides; the same each time.
    clock: GitHub's.
    """

    dice: random.Random = field(default_factory=lambda: random.Random(16))
    clock: Callable[[], float] = time.time
    log: DeliveryLog = field(default_factory=DeliveryLog)
    sent: int = 0
    lost: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(timeout=10))

    def changed(self, hook: Hook, mutation: dict[str, Any], touched: dict[str, Any]) -> None:
        """Tell of a mutation; returns at once."""
        event = EVENTS.get(mutation.get("kind", ""))
        if not hook.url or event is None:
            return
        name, action = event
        org = mutation.get("org", "Netflix")
        payload = payload_of(action, org, touched)
        body, headers = webhooks.delivery(hook.secret, name, payload)
        self.deliver(hook, _attempt(org, body, headers))

    def redeliver(self, hook: Hook, attempt: Attempt) -> None:
        """Send a delivery once more, with the same id; returns at once."""
        again = _attempt(attempt.org, attempt.body, attempt.headers, redelivery=True)
        self.deliver(hook, again)

    def deliver(self, hook: Hook, attempt: Attempt) -> None:
        """Send a delivery in threads of its own, unless it is lost."""
        with self.lock:
            is_lost = self.dice.random() < hook.lost
            self.lost += is_lost
            times = 0 if is_lost else 1 + (self.dice.random() < hook.doubled)
            delays = [hook.delay + self.dice.random() * hook.jitter for _ in range(times)]
            self.sent += times
        if is_lost:
            self.note(attempt, *FAILED_TO_CONNECT)
        for delay in delays:
            timer = threading.Timer(delay, self.send, (hook.url, attempt))
            timer.daemon = True
            timer.start()

    def send(self, url: str, attempt: Attempt) -> None:
        """Send a delivery once; GitHub does not try again by itself."""
        try:
            response = self.pool.request(
                "POST", url, body=attempt.body, headers=attempt.headers, retries=False
            )
        except urllib3.exceptions.HTTPError:
            self.note(attempt, *FAILED_TO_CONNECT)
        else:
            code = response.status
            status = "OK" if 200 <= code < 300 else f"Invalid HTTP Response: {code}"
            self.note(attempt, status, code)

    def note(self, attempt: Attempt, status: str, code: int) -> None:
        """Remember how an attempt ended."""
        known = {"at": self.clock(), "status": status, "code": code}
        self.log.note(Attempt(**{**vars(attempt), **known}))


def _attempt(
    org: str, body: bytes, headers: dict[str, str], *, redelivery: bool = False
) -> Attempt:
    guid = headers["X-GitHub-Delivery"]
    return Attempt(0, guid, 0, "", 0, org, redelivery, body, headers)


def payload_of(action: str, org: str, touched: dict[str, Any]) -> dict[str, Any]:
    """The part of a delivery's body that names what was touched."""
    payload: dict[str, Any] = {"organization": {"login": org}}
    if action:
        payload["action"] = action
    if "full_name" in touched:
        payload["repository"] = touched | {"owner": {"login": org}}
    return payload
