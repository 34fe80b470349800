"""Work that is due once a second, in a thread of its own, so that a slow Redis delays no job."""

import logging
from collections.abc import Callable
from threading import Event, Thread

log = logging.getLogger("refresher")

_PATIENCE = 5.0  # seconds that the last step has once the ticker is stopped


class Ticker:
    """Runs a step, waits, and runs it again, until it is stopped or the step ends the process.

    Args:
        step: returns the seconds until the next one, if that comes sooner than usual; may raise
            SystemExit, which `error` keeps for the main thread.
        pause: seconds between two steps.
    """

    def __init__(self, step: Callable[[], float | None], *, pause: float) -> None:
        self._step = step
        self._pause = pause
        self._stopped = Event()
        # A daemon: a step that hangs must not keep the process from ending.
        self._thread = Thread(target=self._run, name="ticker", daemon=True)
        self.error: SystemExit | None = None

    def start(self) -> None:
        """Run the first step now."""
        self._thread.start()

    def stop(self) -> None:
        """Run no more steps; wait for the current one."""
        self._stopped.set()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while self.error is None and not self._stopped.is_set():
            pause = None
            try:
                pause = self._step()
            except SystemExit as error:
                self.error = error
            except Exception:
                log.exception("unexpected error in what is done once a second")
            self._stopped.wait(self._pause if pause is None else min(pause, self._pause))
