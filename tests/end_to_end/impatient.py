"""The front with less patience, so that tests need not have it either."""

from importlib import import_module

from reader.front import protocol
from reader.front.worker import FrontWorker

BODY_TIMEOUT = 3.0  # seconds, in place of 10
REQUEST_TIMEOUT = 3.0  # seconds, in place of 15
STALL_TIMEOUT = 3.0  # seconds, in place of 60


class ImpatientWorker(FrontWorker):
    """One reader process, as it is but for the times."""

    def init_process(self) -> None:
        """Begin, in the process that was forked."""
        # The application of a process, which is not for a process of tests to make.
        vars(import_module("reader.asgi")).update(_BODY_TIMEOUT=BODY_TIMEOUT)
        vars(protocol).update(REQUEST_TIMEOUT=REQUEST_TIMEOUT, STALL_TIMEOUT=STALL_TIMEOUT)
        super().init_process()
