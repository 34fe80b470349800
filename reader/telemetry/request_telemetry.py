"""Each request's id, count and line in the access log: begin a request, end it with its labels."""

from collections.abc import Callable
from typing import NamedTuple

from reader.telemetry.access_log import AccessLog
from reader.telemetry.counters import Counters, RequestLabels
from reader.telemetry.request_ids import RequestIds


class OpenRequest(NamedTuple):
    """A request without its response.

    Args:
        id: sent by the client, or new.
        method: of the request.
        target: path and query.
        client: IP address of the peer.
        began: seconds of the stopwatch.
    """

    id: str
    method: str
    target: str
    client: str
    began: float


class RequestTelemetry:
    """Ids, counters and access log of one process; methods may be called from any thread.

    Args:
        counters: of the process.
        ids: for requests that come without one.
        access_log: of the process.
        stopwatch: returns seconds from any fixed point; never set back.
    """

    def __init__(
        self,
        counters: Counters,
        ids: RequestIds,
        access_log: AccessLog,
        *,
        stopwatch: Callable[[], float],
    ) -> None:
        self.counters = counters
        self.ids = ids
        self.access_log = access_log
        self.stopwatch = stopwatch

    def begin(
        self, *, method: str, target: str, client: str, sent_id: bytes, began: float
    ) -> OpenRequest:
        """Give a request its id.

        Args:
            method: of the request.
            target: path and query.
            client: IP address of the peer.
            sent_id: value of `X-Request-Id`; empty if absent.
            began: seconds of the stopwatch.
        """
        return OpenRequest(self.ids.of(sent_id), method, target, client, began)

    def end(self, request: OpenRequest, labels: RequestLabels) -> None:
        """Count a request under its labels, and log it if it belongs to the logged share."""
        seconds = self.stopwatch() - request.began
        self.counters.answered(labels, seconds)
        if self.access_log.wants_next():
            self.access_log.note(
                method=request.method,
                target=request.target,
                status=labels.status,
                served=labels.served,
                seconds=seconds,
                request_id=request.id,
                client=request.client,
            )
