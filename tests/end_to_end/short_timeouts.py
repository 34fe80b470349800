"""A worker class with short time-outs, for tests that wait for them."""

from reader.bodies import body_reader
from reader.front import connection
from reader.front.worker import FrontWorker

BODY_DEADLINE = 3.0  # seconds, in place of 10
REQUEST_TIMEOUT = 3.0  # seconds, in place of 15
STALL_TIMEOUT = 3.0  # seconds, in place of 60


class ShortTimeoutWorker(FrontWorker):
    """A reader process that differs only in its time-outs."""

    def init_process(self) -> None:
        """Set the time-outs in the forked process."""
        vars(body_reader).update(DEADLINE=BODY_DEADLINE)
        vars(connection).update(REQUEST_TIMEOUT=REQUEST_TIMEOUT, STALL_TIMEOUT=STALL_TIMEOUT)
        super().init_process()
