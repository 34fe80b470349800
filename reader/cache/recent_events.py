"""The events of GitHub's that this process has heard of: when each scope was touched last."""

from collections import OrderedDict
from collections.abc import Sequence

_MOST = 10_000  # scopes


class RecentEvents:
    """Times by scope, bounded in number; not thread-safe.

    If there are too many, the oldest is forgotten, and everything counts as touched at its time.
    """

    def __init__(self) -> None:
        self._times: OrderedDict[str, float] = OrderedDict()
        self._everything = 0.0

    def note(self, scopes: Sequence[str], at: float) -> None:
        """Note that an event has touched scopes at a Unix time in seconds."""
        for scope in scopes:
            self._times[scope] = max(at, self._times.get(scope, 0.0))
            self._times.move_to_end(scope)
        while len(self._times) > _MOST:
            _, time = self._times.popitem(last=False)
            self._everything = max(self._everything, time)

    def last(self, scopes: Sequence[str]) -> float:
        """Unix time in seconds at which one of the scopes was touched last; 0 if none was."""
        if not scopes:
            return 0.0
        return max(self._everything, *(self._times.get(scope, 0.0) for scope in scopes))
