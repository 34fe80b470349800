"""The front with less patience, so that tests need not have it either."""

from reader import bodies
from reader.front import protocol
from reader.front.worker import FrontWorker

BODY_DEADLINE = 3.0  # seconds, in place of 10
REQUEST_TIMEOUT = 3.0  # seconds, in place of 15
STALL_TIMEOUT = 3.0  # seconds, in place of 60


class ImpatientWorker(FrontWorker):
    """One reader process, as it is but for the times."""

    def init_process(self) -> None:
        """Begin, in the process that was forked."""
        vars(bodies).update(DEADLINE=BODY_DEADLINE)
        vars(protocol).update(REQUEST_TIMEOUT=REQUEST_TIMEOUT, STALL_TIMEOUT=STALL_TIMEOUT)
        super().init_process()
