"""Which addresses of clients have bodies of their own in memory: a few, the ones that are used.

Without `PUBLIC_URL` an anonymous client chooses the address, by `Host`. So the number of addresses
is bounded, and what counts is for how many seconds an address was used lately, not by how many
requests: a flood of new ones displaces none that is in use.
"""

from typing import NamedTuple

MOST = 4
_CANDIDATES = 32  # addresses whose use is counted
_KEPT = 0.98  # of a score, each second: half of it after 34 s
# A new address has to be used so many times as much as one that it displaces.
_CLEARLY = 2.0


class _Use(NamedTuple):
    """How much an address is used.

    Args:
        score: seconds in which it was used, of which the older ones count less.
        at: the last of them.
    """

    score: float
    at: int

    def after(self, second: int) -> float:
        """The score as it is in a later second."""
        return float(self.score * _KEPT ** max(0, second - self.at))


class RememberedAddresses:
    """The addresses that are remembered; not thread-safe."""

    def __init__(self) -> None:
        self._uses: dict[str, _Use] = {}
        self._remembered: set[str] = set()

    def __contains__(self, address: str) -> bool:
        return address in self._remembered

    def use(self, address: str, now: float) -> str | None:
        """Note that an address is used; return the one that it displaces, if it does.

        Args:
            address: of a request.
            now: seconds from any fixed point.
        """
        second = int(now)
        known = self._uses.get(address)
        if known is None or known.at != second:
            score = 1.0 + (known.after(second) if known else 0.0)
            self._uses[address] = known = _Use(score, second)
            self._bound(second)
        if address in self._remembered:
            return None
        if len(self._remembered) < MOST:
            self._remembered.add(address)
            return None
        weakest = min(self._remembered, key=lambda one: self._uses[one].after(second))
        if known.score < _CLEARLY * self._uses[weakest].after(second):
            return None
        self._remembered.remove(weakest)
        self._remembered.add(address)
        return weakest

    def _bound(self, second: int) -> None:
        """Forget the candidate that is used least, if there are too many."""
        candidates = self._uses.keys() - self._remembered
        if len(candidates) > _CANDIDATES:
            del self._uses[min(candidates, key=lambda one: self._uses[one].after(second))]
