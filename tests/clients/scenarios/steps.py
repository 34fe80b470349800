"""The steps of a scenario that is written in Python; each prints one line of JSON.

    {"name": "branch", "ok": true, "detail": ..., "urls": [...], "seconds": 0.012}

`detail` is what the client got, without any address; `urls` are the addresses that it found in
bodies. A step that raises is not ok, and its detail is the error.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

Detail = dict[str, Any]
Step = Callable[[], Detail | None]


class Steps:
    """The steps of one client, in order.

    Each is a function without arguments, which returns the detail; a list under `urls` is taken out
    of it. None is a step that cannot be taken here.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[str, Step]] = []

    def __call__(self, step: Step) -> Step:
        """Add a step under its function's name."""
        self.add(step.__name__, step)
        return step

    def add(self, name: str, step: Step) -> None:
        """Add a step."""
        self._steps.append((name, step))

    def run(self) -> None:
        """Run all steps."""
        for name, step in self._steps:
            print(json.dumps(outcome(name, step)), flush=True)


def outcome(name: str, step: Step) -> Detail:
    """The line of a step."""
    begun = time.monotonic()
    urls: list[str] = []
    try:
        detail: Any = step()
        urls = detail.pop("urls", []) if detail else []
        ok = True
    except Exception as error:
        detail, ok = f"{type(error).__name__}: {error}"[:500], False
    seconds = round(time.monotonic() - begun, 3)
    return {"name": name, "ok": ok, "detail": detail, "urls": urls, "seconds": seconds}


def refusal(kind: type[Exception], ask: Callable[[], object]) -> Any:
    """The client's own error of exactly this kind; AssertionError if none is raised."""
    try:
        answer = ask()
    except Exception as error:
        if type(error) is kind:
            return error
        raise
    raise AssertionError(f"an answer, not {kind.__name__}: {answer!r}"[:300])


def picked(one: object, *names: str) -> Detail:
    """Some attributes of an object, or some keys; those whose name ends in `url` are addresses."""
    values = {name: one[name] if isinstance(one, dict) else getattr(one, name) for name in names}
    urls = [value for name, value in values.items() if name.endswith("url")]
    return {**{n: value for n, value in values.items() if not n.endswith("url")}, "urls": urls}


def listed(found: Iterable[object], *names: str) -> Detail:
    """A list's length, and of its first and last item what `picked` gives."""
    every = list(found)
    first, last = picked(every[0], *names), picked(every[-1], *names)
    urls = first.pop("urls") + last.pop("urls")
    return {"count": len(every), "first": first, "last": last, "urls": urls}


def arguments() -> tuple[str, str | None]:
    """The address of the server, and the user's token."""
    return sys.argv[1], sys.argv[2] or None
