"""The front with less patience, so that tests need not have it either."""

from reader.bodies import body_reader
from reader.front import connection
from reader.front.worker import FrontWorker

BODY_DEADLINE = 3.0  # seconds, in place of 10
REQUEST_TIMEOUT = 3.0  # seconds, in place of 15
STALL_TIMEOUT = 3.0  # seconds, in place of 60


class ImpatientWorker(FrontWorker):
    """One reader process, as it is but for the times."""

    def init_process(self) -> None:
        """Begin, in the process that was forked."""
        vars(body_reader).update(DEADLINE=BODY_DEADLINE)
        vars(connection).update(REQUEST_TIMEOUT=REQUEST_TIMEOUT, STALL_TIMEOUT=STALL_TIMEOUT)
        super().init_process()
