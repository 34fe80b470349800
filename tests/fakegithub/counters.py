"""Counters of the server's requests, and the last of them. Control requests are not counted."""

import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.fakegithub.http_messages import Request
from tests.fakegithub.limits import ANONYMOUS

KEPT_REQUESTS = 5000


@dataclass
class Seen:
    """One request as it arrived.

    status: None until there is a response, so also while the request hangs.
    port: the client's, so it tells connections apart.
    answered_at: just before the response's first byte leaves.
    """

    time: float
    method: str
    path: str
    status: int | None
    user_agent: str | None
    authorised: bool
    credential: str
    headers: list[str]
    accept: str | None
    api_version: str | None
    if_none_match: str | None
    fault: str | None = None
    port: int = 0
    answered_at: float | None = None


@dataclass
class Counters:
    """Thread-safe counters; `snapshot` is their JSON."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    credentials: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    recent: deque[Seen] = field(default_factory=lambda: deque(maxlen=KEPT_REQUESTS))
    bytes_sent: int = 0
    points: int = 0
    max_concurrent: int = 0
    hanging: int = 0
    connections: int = 0
    installation_tokens: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def arrived(self, request: Request, *, credential: str, concurrent: int, port: int = 0) -> Seen:
        """Count a request on arrival; pass the result to `responded` later."""
        headers = request.headers
        seen = Seen(
            time=time.time(),
            method=request.method,
            path=request.target,
            status=None,
            user_agent=headers.get("user-agent"),
            authorised=credential != ANONYMOUS,
            credential=credential,
            headers=list(request.header_names),
            accept=headers.get("accept"),
            api_version=headers.get("x-github-api-version"),
            if_none_match=headers.get("if-none-match"),
            port=port,
        )
        with self.lock:
            self.requests[f"{request.method} {request.target}"] += 1
            self.credentials[credential] += 1
            self.max_concurrent = max(self.max_concurrent, concurrent)
            self.recent.append(seen)
        return seen

    def responded(self, seen: Seen, status: int | None, *, points: int) -> None:
        """Count a response just before its first byte leaves, so that no client reads old counters.

        A status of None is a request that hangs: charged, but without a response.
        """
        with self.lock:
            seen.status = status
            seen.answered_at = None if status is None else time.time()
            self.points += points
            if status is not None:
                self.statuses[str(status)] += 1

    def add(
        self, *, sent: int = 0, hanging: int = 0, connections: int = 0, installation_tokens: int = 0
    ) -> None:
        """Add to the plain counters."""
        with self.lock:
            self.bytes_sent += sent
            self.hanging += hanging
            self.connections += connections
            self.installation_tokens += installation_tokens

    def fault_fired(self, seen: Seen, kind: str) -> None:
        """Count a fault, and note it at its request."""
        with self.lock:
            seen.fault = kind
            self.faults[kind] += 1

    def reset(self) -> None:
        """Reset everything except what is in progress (hanging requests, connections)."""
        with self.lock:
            for counter in (self.requests, self.statuses, self.credentials, self.faults):
                counter.clear()
            self.recent.clear()
            self.bytes_sent = self.points = self.max_concurrent = self.installation_tokens = 0

    def snapshot(self) -> dict[str, Any]:
        """All counters as JSON."""
        with self.lock:
            return {
                "total": sum(self.requests.values()),
                "requests": dict(self.requests),
                "statuses": dict(self.statuses),
                "not_modified": self.statuses["304"],
                "bytes_sent": self.bytes_sent,
                "points": self.points,
                "max_concurrent": self.max_concurrent,
                "hanging": self.hanging,
                "connections": self.connections,
                "installation_tokens": self.installation_tokens,
                "credentials": dict(self.credentials),
                "faults": dict(self.faults),
                "recent": [asdict(seen) for seen in self.recent],
            }
