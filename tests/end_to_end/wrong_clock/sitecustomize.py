"""Shifts the clock of a Python process: Python imports this module at its start from `PYTHONPATH`.

The file that `CLOCK_ERROR` names holds seconds; when they change, the clock jumps. Monotonic clocks
stay as they are, as on a machine whose clock is set.
"""

import datetime
import os
import time
from pathlib import Path
from typing import Any

_right = time.time
_Real = datetime.datetime
_file = Path(os.environ["CLOCK_ERROR"])


def _time() -> float:
    return _right() + float(_file.read_text())


class _Meta(type):
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, _Real)


class _Datetime(_Real, metaclass=_Meta):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return _Real.fromtimestamp(_time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return _Real.fromtimestamp(_time(), datetime.UTC).replace(tzinfo=None)


time.time = _time
time.time_ns = lambda: int(_time() * 1e9)
datetime.datetime = _Datetime  # type: ignore[misc]
