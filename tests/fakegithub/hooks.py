"""Webhooks that the stand-in sends after mutations: late, doubled, out of order, or not at all."""

import contextlib
import random
import threading
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3

from tests.fakegithub import webhooks

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
    lost: share of deliveries that are not sent.
    """

    url: str = ""
    secret: str = ""
    delay: float = 0
    jitter: float = 0
    doubled: float = 0
    lost: float = 0


NO_HOOK: Final = Hook()


@dataclass
class Hooks:
    """Sends deliveries; `lost` counts those that were not sent.

    dice: decides; the same each time.
    """

    dice: random.Random = field(default_factory=lambda: random.Random(16))
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
        payload = payload_of(action, mutation.get("org", "Netflix"), touched)
        body, headers = webhooks.delivery(hook.secret, name, payload)
        with self.lock:
            if self.dice.random() < hook.lost:
                self.lost += 1
                return
            times = 1 + (self.dice.random() < hook.doubled)
            delays = [hook.delay + self.dice.random() * hook.jitter for _ in range(times)]
            self.sent += times
        for delay in delays:
            timer = threading.Timer(delay, self.send, (hook.url, body, headers))
            timer.daemon = True
            timer.start()

    def send(self, url: str, body: bytes, headers: dict[str, str]) -> None:
        """Send a delivery once; GitHub does not try again."""
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            self.pool.request("POST", url, body=body, headers=headers, retries=False)


def payload_of(action: str, org: str, touched: dict[str, Any]) -> dict[str, Any]:
    """The part of a delivery's body that names what was touched."""
    payload: dict[str, Any] = {"organization": {"login": org}}
    if action:
        payload["action"] = action
    if "full_name" in touched:
        payload["repository"] = touched | {"owner": {"login": org}}
    return payload
