"""Where an answer ends, without keeping its body: a generator must cost less than the server."""

import re

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_END = b"\r\n\r\n"
_BODILESS = {204, 304}


class Malformed(Exception):  # noqa: N818 - it is the answer's fault
    """What came is no answer whose length its head says; `args[0]` is its begin."""


class Framing:
    """One answer, as it comes in.

    `status` is 0 until its head is there; `closes` is whether it is the connection's last.
    """

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self.status = 0
        self.closes = False
        self.received = 0

    def feed(self, data: bytes) -> bool:
        """Take what came; True when the answer is complete.

        Raises:
            Malformed: it is none, or it does not say its length.
        """
        self.received += len(data)
        if self.status:
            self._left -= len(data)
            return self._left <= 0
        self._head += data
        head, end, body = self._head.partition(_END)
        if not end:
            return False
        status, length = _STATUS.match(head), _LENGTH.search(head)
        if status is None or (length is None and int(status[1]) not in _BODILESS):
            raise Malformed(head[:200])
        self.status = int(status[1])
        self.closes = _CLOSE.search(head) is not None
        expected = 0 if length is None or self.status in _BODILESS else int(length[1])
        self._head, self._left = b"", expected - len(body)
        return self._left <= 0
