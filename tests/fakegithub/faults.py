"""Faults on demand: their kinds, and the requests that they affect.

A fault affects requests whose path with query a regular expression matches (`path`, by search) and
that have a `method` and one of the `credentials`; it lets `after` of them pass, then affects the
next `times`. Its effect on the response is in `distortions` and `answers`, on a list in
`rendering`, on the socket in `response_writer`;
`absurd_headers` has those header fields.

FAILURES are what a client has to ride out: the next request meets the right response again. ANSWERS
are what GitHub means, or what a client cannot tell from that.
"""

import itertools
import re
import threading
from dataclasses import dataclass, field, fields
from typing import Any, Final

# kind -> (what the client meets, the options the kind has beside those every kind has)
FAILURES: Final[dict[str, tuple[str, frozenset[str]]]] = {
    "status": ("any status with GitHub's JSON error", frozenset({"status", "message"})),
    "html": ("GitHub's unicorn page as text/html", frozenset({"status"})),
    "hang": (
        "nothing, or `after_bytes` of the response and then nothing",
        frozenset({"after_bytes"}),
    ),
    "slow": ("the right response after `delay` seconds", frozenset()),
    "drip": ("the body, `piece` bytes each `interval` seconds", frozenset({"piece", "interval"})),
    "reset": ("RST after `after_bytes` of the body", frozenset({"after_bytes", "before_headers"})),
    "truncate": ("less body than Content-Length says, then FIN", frozenset({"after_bytes"})),
    "cut_chunked": ("a chunked body without its last chunk", frozenset({"after_bytes"})),
    "unframed": ("no length, ended by close", frozenset({"after_bytes"})),
    "garbage": ("200 and application/json, but broken JSON", frozenset({"body"})),
    "empty": ("200 and no body", frozenset()),
    "wrong_shape": ("an object for a list, a list for an object", frozenset({"body"})),
    "huge": ("a valid JSON list of `size` bytes", frozenset({"size"})),
    "ratelimited": ("403, primary limit exhausted", frozenset({"reset_in"})),
    "secondary": ("429 with Retry-After", frozenset({"status", "retry_after"})),
    "foreign_link": ("Link's next on another host", frozenset({"url"})),
    "link_loop": ("Link's next is page 1 for ever", frozenset()),
}
ANSWERS: Final[dict[str, tuple[str, frozenset[str]]]] = {
    "headers": ("the right response, or its 304, with other `headers`", frozenset()),
    "absurd_headers": ("the right response with absurd limits and dates, in turn", frozenset()),
    "absurd_pauses": ("the right response with limits that are met for years", frozenset()),
    "accepted": ("202 and `{}`: GitHub computes, ask later", frozenset({"body"})),
    "too_large": ("403, too large to list; no limit", frozenset({"message"})),
    "blocked": ("451 with GitHub's `block`", frozenset({"reason"})),
    "saml": ("403 with X-GitHub-SSO, with a credential only", frozenset({"url"})),
    "ip_allow_list": ("403 by an IP allow list, with a credential only", frozenset()),
    "not_accessible": ("403, not accessible by integration", frozenset({"message"})),
    "redirect": ("a redirect to `url`", frozenset({"status", "url"})),
    "wrong_304": ("304 to every conditional request, rightly or not", frozenset()),
    "other_base": ("every target of Link begins with `url`", frozenset({"url"})),
    "no_link": ("a page of a list without its Link", frozenset()),
    "empty_list": ("a list without items", frozenset()),
    "short_list": ("a list's first items: `share` of them", frozenset({"share"})),
}
KINDS: Final = FAILURES | ANSWERS
COMMON: Final = frozenset(
    {"kind", "path", "method", "credentials", "times", "after", "delay", "headers"}
)
AUTHORISED, ANONYMOUS = "authorised", "anonymous"
# Kinds that concern a credential, unless they are ordered for others.
BY_CREDENTIAL: Final = ("saml", "ip_allow_list", "not_accessible")


@dataclass
class Fault:
    """One fault as a test ordered it; `times` None is until cleared, sizes are in bytes.

    credentials: tokens, "authorised" for any, "anonymous" for none; None is every request.
    status: default 500 for `status`, 502 for `html`, 429 for `secondary`, 301 for `redirect`.
    after_bytes: of the body (of the whole response for `hang`); default half, none for `hang`.
    before_headers: `reset` without a byte of the response.
    retry_after: seconds; None omits the header. reset_in: seconds until the limit resets.
    delay: seconds before anything else. headers: added to the response; None removes one.
    """

    kind: str
    path: str = ""
    method: str | None = None
    credentials: tuple[str, ...] | None = None
    times: int | None = None
    after: int = 0
    delay: float = 0
    headers: dict[str, str | None] = field(default_factory=dict)
    status: int | None = None
    message: str | None = None
    body: str | None = None
    after_bytes: int | None = None
    before_headers: bool = False
    piece: int = 100
    interval: float = 0.05
    size: int = 10_000_000
    url: str = "http://foreign.invalid"
    retry_after: int | None = 60
    reset_in: float = 60
    reason: str = "dmca"
    share: float = 0.5
    id: int = 0

    def concerns(self, method: str, target: str, token: str | None) -> bool:
        """Whether a request is among those that the fault affects."""
        if self.method not in (None, method) or not re.search(self.path, target):
            return False
        own = (AUTHORISED, token) if token else (ANONYMOUS,)
        return self.credentials is None or not set(own).isdisjoint(self.credentials)


def fault_from_json(options: dict[str, Any]) -> Fault:
    """Make a fault from JSON options; ValueError names what is unknown or wrong."""
    kind = options.get("kind")
    if kind not in KINDS:
        raise ValueError(f"no such fault: {kind}; there are: {', '.join(KINDS)}")
    allowed = COMMON | KINDS[kind][1]
    if unknown := sorted(set(options) - allowed):
        raise ValueError(f"{kind} has no option {', '.join(unknown)}; has {sorted(allowed)}")
    try:
        re.compile(options.get("path", ""))
    except re.error as error:
        raise ValueError(f"path: {error}") from error
    credentials = options.get("credentials", AUTHORISED if kind in BY_CREDENTIAL else None)
    if credentials is not None:
        credentials = (credentials,) if isinstance(credentials, str) else tuple(credentials)
    return Fault(**options | {"credentials": credentials})


@dataclass
class Faults:
    """The faults in force, oldest first; the first one that matches affects a request."""

    active: list[Fault] = field(default_factory=list)
    ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    cleared: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def order(self, fault: Fault) -> int:
        """Put a fault in force; return its id."""
        with self.lock:
            fault.id = next(self.ids)
            self.active.append(fault)
            return fault.id

    def clear(self) -> None:
        """Remove all faults and release hanging requests."""
        with self.lock:
            self.active.clear()
            self.cleared.set()
            # Waiting requests hold the old event; later ones get a new one.
            self.cleared = threading.Event()

    def match(
        self, method: str, target: str, token: str | None
    ) -> tuple[Fault, threading.Event] | None:
        """The fault of this request, counted as used, and the event that releases the request."""
        with self.lock:
            for fault in self.active:
                if not fault.concerns(method, target, token):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                elif fault.times is None or fault.times > 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault, self.cleared
            return None

    def snapshot(self) -> list[dict[str, Any]]:
        """The faults in force with what is left of them, as JSON."""
        with self.lock:
            return [
                {f.name: getattr(fault, f.name) for f in fields(fault)} for fault in self.active
            ]
