"""Deliveries of the model of GitHub's: to a reader, at once or never; GitHub remembers each."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from tests.fakegithub.delivery_log import FAILED_TO_CONNECT, Attempt
from tests.fakegithub.hooks import Hook, Hooks
from tests.simulation.fleet import Fleet
from tests.simulation.hub import Hub, SimProcess

PATIENCE_S = 10.0  # seconds that GitHub gives a receiver
_LOOKS_S = 0.25  # seconds between two looks whether it has answered
_LATE = ("timed out", 504)
_REFUSED = ("Invalid HTTP Response: 503", 503)


class Deliveries(Hooks):
    """What GitHub sends to the readers, and remembers.

    Args:
        hub: virtual time.
        fleet: whose readers receive.
        seed: of the run.
        note: told in words what a reader has taken.
    """

    def __init__(self, hub: Hub, fleet: Fleet, seed: str, note: Callable[[str], None]) -> None:
        super().__init__(clock=lambda: hub.unix)
        self._hub = hub
        self._fleet = fleet
        self._dice = Random(f"{seed}:deliveries")
        self._note = note
        self._github = SimProcess("github")
        self.taken: dict[str, float] = {}  # when a reader had taken each, by its id
        self.under_way = 0

    def changed(self, hook: Hook, mutation: dict[str, Any], touched: dict[str, Any]) -> None:
        """Nothing: the simulation decides what is sent of a change, and when."""

    def deliver(self, hook: Hook, attempt: Attempt) -> None:  # noqa: ARG002
        """Send a delivery again, because it was asked for."""
        self.send_later(attempt, self._dice.uniform(0.1, 1.0), "again")

    def attempt(self, org: str, body: bytes, headers: Mapping[str, str]) -> Attempt:
        """The first attempt to deliver an event."""
        return Attempt(0, headers["X-GitHub-Delivery"], 0, "", 0, org, False, body, dict(headers))

    def lose(self, attempt: Attempt) -> None:
        """Let it reach nobody."""
        self.note(attempt, *FAILED_TO_CONNECT)

    def send_later(self, attempt: Attempt, delay: float, what: str) -> None:
        """Send it to some reader after some seconds."""
        readers = [one for one in self._fleet.names if one.startswith("reader")]
        name = self._dice.choice(readers)
        self.under_way += 1

        def work() -> None:
            self._hub.sleep(delay)
            self.note(attempt, *self._ended(attempt, name, what))
            self.under_way -= 1

        self._hub.spawn(self._github, work, "delivery")

    def _ended(self, attempt: Attempt, name: str, what: str) -> tuple[str, int]:
        answers: list[bool] = []
        if not self._fleet.deliver(name, attempt.body, attempt.headers, answers.append):
            return FAILED_TO_CONNECT
        until = self._hub.now + PATIENCE_S
        while not answers and self._hub.now < until:
            self._hub.sleep(_LOOKS_S)
        if not answers:
            return _LATE
        if not answers[0]:
            return _REFUSED
        self._note(f"{name} took {what}")
        self.taken.setdefault(attempt.guid, self._hub.now)
        return "OK", 200

    def missing(self) -> list[str]:
        """The ids of the deliveries that no reader has taken, the first one first."""
        return [
            one for one in dict.fromkeys(a.guid for a in self.log.attempts) if one not in self.taken
        ]
